"""The tests of `accounts`. They are flat because one file stands for each module and subject of that app."""
