"""`python -m mmdb`, where the `mmdb` script is not on the path."""

from mmdb.cli import main

if __name__ == "__main__":
    main()
