"""The credentials of users: passwords, sessions with their refresh tokens, access tokens and API tokens.

The modules may import the models, the queries and the security log of `accounts`, but neither HTTP nor schemas.
"""
