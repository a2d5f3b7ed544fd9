"""The API's operations on accounts, one file for each resource.

Endpoints translate between HTTP and the rest of the app: they may import everything in `accounts` but the admin site.
"""
