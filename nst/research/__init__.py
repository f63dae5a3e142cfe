"""What makes and judges networks: training, evaluation, benchmarks. Only the command line imports it."""
