"""The history: what every kernel of an archive costs, when it changed, and in which function."""
