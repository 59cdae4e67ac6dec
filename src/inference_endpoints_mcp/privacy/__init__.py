"""What must not leave the process unchanged: secrets are masked, lent secrets hidden, untrusted text fenced."""
