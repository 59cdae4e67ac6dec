"""Why an endpoint does not do what is expected of it: `collect_evidence` reads, `diagnose` judges without I/O."""
