"""The API's operations on accounts, one file per resource.

Endpoints translate between HTTP and the services. They may import every module of `accounts` except the admin site.
"""
