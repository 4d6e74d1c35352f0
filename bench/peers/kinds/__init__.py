"""The competitors, one file each; they are imported in the environment that has them, and by nobody else."""
