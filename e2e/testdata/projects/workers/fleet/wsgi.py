"""The site: says which settings it runs with, and what of the caller's environment it sees."""
import os

RELEASE = "one"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    seen = [name for name in os.environ if "AWS_" in name or "SECRET" in name]
    return [f"{RELEASE} {os.environ['DJANGO_SETTINGS_MODULE']} {os.environ['WEB_CONCURRENCY']} {seen}".encode()]
