"""Uploaded images: conversion in a separate process, storage, and the services that change their rows.

A row is stored after its files and deleted before them, so that no row lacks its files. A crash can leave files without
a row; `storage.orphaned_files` finds them. The package may import the services, the queries and the models of `posts`.
"""
