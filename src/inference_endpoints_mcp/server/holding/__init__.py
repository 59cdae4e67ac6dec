"""How long a call is held before it is answered: as long as its host bears, which is found out."""
