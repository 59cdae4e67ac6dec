"""What a plane keeps: endpoint records, audit events, the logs of replicas, and the clock they are timed by."""
