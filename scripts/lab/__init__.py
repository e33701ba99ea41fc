"""The kernel lab: boots other kernels in QEMU and runs nsbench in them. scripts/lab.py is its command line."""
