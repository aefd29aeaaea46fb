"""Speed and memory, compared with an alternative in the same run: called by `./run bench NAME`."""
