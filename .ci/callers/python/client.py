"""Calls a dependency that fails with tenacity's policies, for mishap to tell them.

    client.py POLICY REQUESTS ATTEMPTS AT-ONCE URL...

For each URL it makes so many requests with so many attempts each, at most AT-ONCE URLs at a time, and prints the URL.
"""

import http.client
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import tenacity as t

SPREAD = 0.005  # seconds between the begins of two requests

POLICIES = {
    "tenacity-none": lambda: t.wait_none(),
    "tenacity-fixed": lambda: t.wait_fixed(0.05),
    "tenacity-fixed-jitter": lambda: t.wait_fixed(0.03) + t.wait_random(0, 0.04),
    "tenacity-exponential": lambda: t.wait_exponential(multiplier=0.04, exp_base=2),
    "tenacity-exponential-full-jitter": lambda: t.wait_random_exponential(multiplier=0.08, exp_base=2),
    "tenacity-exponential-jitter": lambda: t.wait_exponential_jitter(initial=0.05, exp_base=2, jitter=0.05),
}


class Failed(Exception):
    pass


def request(policy, host, attempts):
    name = str(uuid.uuid4())

    def attempt():
        connection = http.client.HTTPConnection(host, timeout=10)
        try:
            connection.request("GET", "/pay", headers={"X-Request-Id": name})
            if connection.getresponse().status >= 500:
                raise Failed
        finally:
            connection.close()

    retrying = t.Retrying(wait=POLICIES[policy](), stop=t.stop_after_attempt(attempts), retry=t.retry_if_exception_type(Failed))
    try:
        retrying(attempt)
    except t.RetryError:
        pass


def run(policy, url, requests, attempts):
    threads = []
    for _ in range(requests):
        thread = threading.Thread(target=request, args=(policy, urlsplit(url).netloc, attempts))
        thread.start()
        threads.append(thread)
        time.sleep(SPREAD)
    for thread in threads:
        thread.join()
    print(url, flush=True)


def main():
    policy, requests, attempts, at_once, urls = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5:]
    with ThreadPoolExecutor(at_once) as pool:
        for done in [pool.submit(run, policy, url, requests, attempts) for url in urls]:
            done.result()


if __name__ == "__main__":
    main()
