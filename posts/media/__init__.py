"""Uploaded images: conversion in a separate process, storage, and the services that change their rows.

The package may import the services, the queries and the models of `posts`.
"""
