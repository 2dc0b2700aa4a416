"""Coming in and going out: sign-in, sign-out, the set-up link, password links, and changing the organisation."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, abort, current_app, flash, redirect, render_template, request, session
from flask_login import UserMixin, login_user
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from models import User
from provisioning import accounts
from provisioning.errors import FaultyForm, NotAMember, NotFound, Refused
from provisioning.permissions import Person, find_person
from views import access
from views.clock import now_ms
from views.forms import NewPasswordForm, SetUpForm, SignInForm, tell_faults
from views.rate_limit import attempt_failed, attempt_succeeded, seconds_to_wait

auth = Blueprint("auth", __name__)

PASSWORD_LINK_DAYS = 3


class SignedIn(UserMixin):
    """What Flask-Login keeps for a request: the person, and the id that goes into the session."""

    def __init__(self, person: Person) -> None:
        self.person = person
        # The version makes "sign out everywhere" end every session at once.
        self.id = f"{person.id}:{person.version}"


def load_signed_in(session_id: str) -> SignedIn | None:
    """Who a session's `usr_…:3` is, unless the session was ended."""
    user_id, _, version = session_id.partition(":")
    person = find_person(user_id, int(version)) if version.isdigit() else None
    return SignedIn(person) if person else None


def begin_session(user_id: str, organization_id: str | None = None) -> None:
    """Sign the user in, in this organisation or the default one. Nothing else of what the browser carried before
    stays in the session."""
    person = find_person(user_id)
    if person is None:
        abort(403, "This account is disabled.")
    session.clear()
    session.permanent = True
    if person.places:
        session["organization"] = organization_id or person.places[0].organization_id
    login_user(SignedIn(person))


@auth.route("/signin", methods=["GET", "POST"])
def sign_in() -> AnyResponse | tuple[str, int] | str:
    """The sign-in page."""
    form = SignInForm()
    target = access.safe_next(form.next.data or request.args.get("next"))
    form.next.data = target
    if request.method in {"GET", "HEAD"}:
        if access.person() is not None:
            return redirect(target, 303)
        return render_template("auth/sign_in.html", form=form, nobody_exists=not accounts.anybody_exists())
    email = form.email.data or ""
    wait = seconds_to_wait(email)
    if wait:
        form.form_errors.append(f"Too many attempts. Wait {wait // 60 + 1} minutes, then try again.")
        page = Response(render_template("auth/sign_in.html", form=form), status=429)
        page.headers["Retry-After"] = str(wait)
        return page
    user = accounts.authenticate(email, form.password.data or "", now_ms())
    if user is None:
        attempt_failed()
        form.form_errors.append("No account has this email and this password.")
        return render_template("auth/sign_in.html", form=form), 422
    attempt_succeeded(email)
    begin_session(user.id)
    return redirect(target, 303)


@auth.post("/signout")
def sign_out() -> AnyResponse:
    """End this browser's session. Somebody whose session has ended already may press the button too."""
    session.clear()
    return redirect("/signin", 303)


@auth.post("/signout/everywhere")
def sign_out_everywhere() -> AnyResponse:
    """End all sessions of whoever is signed in."""
    accounts.sign_out_everywhere(user_id=access.signed_in_person().id, now=now_ms())
    session.clear()
    flash("You are signed out everywhere.")
    return redirect("/signin", 303)


@auth.post("/organization")
def switch_organization() -> AnyResponse:
    """Make another of the person's organisations the current one."""
    place = access.signed_in_person().place_in(request.form.get("organization", ""))
    if place is None:
        raise NotAMember("There is no such organisation, or you are not a member of it.")
    session["organization"] = place.organization_id
    return redirect(access.safe_next(request.form.get("next")), 303)


@auth.route("/setup/<token>", methods=["GET", "POST"])
def set_up(token: str) -> AnyResponse | tuple[str, int] | str:
    """The one-time link that makes the first organisation and its owner."""
    if not accounts.setup_link_is_open(token):
        abort(410, "This set-up link was used already, or a newer one was printed.")
    form = SetUpForm()
    if request.method in {"GET", "HEAD"}:
        return render_template("auth/set_up.html", form=form)
    try:
        user = accounts.use_setup_link(
            secret=token,
            organization_name=form.organization_name.data or "",
            slug=(form.slug.data or "").strip(),
            email=form.email.data or "",
            name=form.name.data or "",
            password=form.password.data or "",
            repeated=form.repeated.data or "",
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("auth/set_up.html", form=form), 422
    except Refused as error:
        abort(410, str(error))
    begin_session(user.id)
    return redirect("/", 303)


def password_link_path(user: User, organization_id: str) -> str:
    """A path, good once and for three days, under which the user sets the password.

    It is signed, not stored: setting the password raises the user's version, and with it the link is spent.
    """
    return f"/password/{_password_links().dumps([user.id, user.version, organization_id])!s}"


@auth.route("/password/<token>", methods=["GET", "POST"])
def password_link(token: str) -> AnyResponse | tuple[str, int] | str:
    """Set the first password, or a new one, by a link that an owner has made."""
    try:
        user_id, version, organization_id = _password_links().loads(token, max_age=PASSWORD_LINK_DAYS * 86_400)
        user = accounts.password_link_subject(user_id, organization_id)
    except (BadSignature, NotFound, Refused):
        user = None
    if user is None or user.version != version:
        abort(410, "This password link was used already, its time is over, or the account has changed.")
    form = NewPasswordForm()
    if request.method in {"GET", "HEAD"}:
        return render_template("auth/password_link.html", form=form, email=user.email)
    try:
        user = accounts.use_password_link(
            user_id=user_id,
            version=version,
            organization_id=organization_id,
            password=form.password.data or "",
            repeated=form.repeated.data or "",
            now=now_ms(),
        )
    except FaultyForm as error:
        tell_faults(form, error)
        return render_template("auth/password_link.html", form=form, email=user.email), 422
    except Refused as error:
        abort(410, str(error))
    begin_session(user.id)
    return redirect("/", 303)


def _password_links() -> URLSafeTimedSerializer:
    # The newest key comes last: it signs, and all of them are believed.
    keys = [*reversed(current_app.config["SECRET_KEY_FALLBACKS"]), cast(str, current_app.config["SECRET_KEY"])]
    return URLSafeTimedSerializer(keys, salt="password link")
