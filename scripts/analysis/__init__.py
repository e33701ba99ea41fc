"""What compare.py, ab.py, plot.py and report.py share: the files of a run, read once and checked."""
