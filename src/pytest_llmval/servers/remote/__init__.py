"""Servers that are asked over HTTP; imported only when a version names one, since httpx comes with them."""
