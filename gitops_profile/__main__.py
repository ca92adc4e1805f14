"""`python -m gitops_profile`."""

from gitops_profile.cli import main

if __name__ == "__main__":
    main()
