"""The command `repro`: finds experiments, runs them, and shows ours beside the papers'."""
