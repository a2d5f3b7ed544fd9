"""What proves who a user is: passwords, sessions with their refresh tokens, access tokens and API tokens.

The package may import the models and the security log of `accounts`; it knows neither HTTP nor schemas.
"""
