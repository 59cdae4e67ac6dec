"""What benchmarks start: our server and bare ones, clients of ours and of others, planes and a cluster."""
