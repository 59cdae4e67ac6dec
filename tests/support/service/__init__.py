"""What stands for the service: scripted answers, recorded ones, and its own document."""
