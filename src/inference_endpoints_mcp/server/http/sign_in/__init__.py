"""How callers sign in: by keys, or at an identity provider; and the profile that each has."""
