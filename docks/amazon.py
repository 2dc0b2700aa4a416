"""boto3 as docks use it: clients with bounded waits, and its errors as `DockFault`s."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docks.adapter import DockFault

_CONNECT_WITHIN_S = 5
_ANSWER_WITHIN_S = 20
_CODE = re.compile(r"[A-Za-z0-9.]{1,60}")
_REFUSED = re.compile(
    r"AccessDenied|Unauthorized|Forbidden|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|OptInRequired"
    r"|InvalidAccessKeyId|AuthFailure|IncompleteSignature|NotAuthorized|InvalidToken|^40[13]$"
)
_OVER = re.compile(r"ExpiredToken|RequestExpired|TokenRefreshRequired")


class Refused(DockFault):
    """The provider knows the key and does not let it do this."""


def client(service: str, *, key: str, secret: str, session_token: str = "", region: str, endpoint_url: str = "") -> Any:
    """A client of one service, with these credentials and no others: neither the server's environment nor the role of
    its instance is ever used in the name of a dock."""
    # Imported where it is needed: boto3 takes a third of a second, and few commands speak with AWS.
    import boto3
    from botocore.config import Config

    return boto3.Session(
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=session_token or None, region_name=region
    ).client(
        service,
        endpoint_url=endpoint_url or None,
        config=Config(
            connect_timeout=_CONNECT_WITHIN_S,
            read_timeout=_ANSWER_WITHIN_S,
            retries={"max_attempts": 2, "mode": "standard"},
            # A bucket's name may hold dots, and a stand-in for S3 knows no names of hosts.
            s3={"addressing_style": "path"} if endpoint_url else None,
        ),
    )


def error_code(error: Exception) -> str:
    """The code of an answer such as `AccessDenied`; "" where it is none that AWS could have sent."""
    told = getattr(error, "response", None)
    code = str(told.get("Error", {}).get("Code", "")) if isinstance(told, dict) else ""
    return code if _CODE.fullmatch(code) else ""


@contextmanager
def faults(what: str) -> Iterator[None]:
    """Turn botocore's errors into `DockFault`s, of which `Refused` is one. `what` was being done: "list the stacks".

    The sentence names the code alone: messages of AWS hold account numbers and, of a stand-in, whatever it likes.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code = error_code(error)
        if _OVER.search(code):
            raise DockFault(
                f"The session of the credentials is over ({code}). Enter new ones.", permanent=True
            ) from None
        if _REFUSED.search(code):
            raise Refused(
                f"Not allowed to {what} ({code}). Check the credentials and what they permit.", permanent=True
            ) from None
        raise DockFault(f"Could not {what} ({code or 'an unknown error'}).", permanent=False) from None
    except BotoCoreError as error:
        # Their texts name URLs and what was given: the kind of error is enough.
        raise DockFault(f"Could not {what}: {_in_words(type(error).__name__)}.", permanent=False) from None
    except (OSError, ValueError) as error:
        raise DockFault(f"Could not {what}: {_in_words(type(error).__name__)}.", permanent=False) from None


def _in_words(name: str) -> str:
    """`EndpointConnectionError` as "endpoint connection error"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
