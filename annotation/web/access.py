"""Who may open what: the one table. A route that is not in it does not start; the tests walk all of it.

A cell says how far a role reaches: `any` object, its `own` ones alone, or none (`.`). Nobody is who is not logged in.
To whom an object is not open, it does not exist (404). `key` is the scope an API key needs to come here, `.` where
only a browser does. `shut` says whether the route works on a campaign that is closed (`.` where none is involved).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

Reach = Literal["any", "own"]
NOBODY = "nobody"
REACHES: dict[str, Reach] = {"any": "any", "own": "own"}

TABLE = """
method path                              nobody expert senior curator engineer admin key             shut
GET    /login                            any    any    any    any     any      any   .               .
POST   /login                            any    any    any    any     any      any   .               .
GET    /login/oidc                       any    any    any    any     any      any   .               .
GET    /login/oidc/back                  any    any    any    any     any      any   .               .
GET    /invitation/{token}               any    any    any    any     any      any   .               .
POST   /invitation/{token}               any    any    any    any     any      any   .               .
GET    /language/{language}              any    any    any    any     any      any   .               .
GET    /openapi.json                     any    any    any    any     any      any   .               .
GET    /health                           any    any    any    any     any      any   .               .
GET    /                                 .      any    any    any     any      any   .               .
GET    /session                          .      any    any    any     any      any   .               .
POST   /logout                           .      any    any    any     any      any   .               .
GET    /account                          .      own    own    own     own      own   .               .
POST   /account/password                 .      own    own    own     own      own   .               .
POST   /account/keys                     .      own    own    own     own      own   .               .
POST   /account/keys/{key_id}/revoke     .      own    own    own     own      own   .               .
GET    /rank                             .      own    own    .       .        .     .               .
GET    /rank/{assignment_id}             .      own    own    .       .        .     .               yes
POST   /rank/{assignment_id}             .      own    own    .       .        .     .               no
GET    /adjudicate                       .      .      any    .       .        .     .               yes
GET    /adjudicate/{task_id}             .      .      any    .       .        .     .               yes
POST   /adjudicate/{task_id}             .      .      any    .       .        .     .               yes
GET    /status                           .      .      .      any     any      any   .               yes
GET    /experts                          .      .      .      any    .        any   .               yes
GET    /versions                         .      .      .      any    any      any   .               .
GET    /versions/diff                    .      .      .      any    any      any   .               .
GET    /label-studio                     .      .      .      any     any      any   .               .
POST   /label-studio/hook/{project_id}   any    any    any    any     any      any   .               .
GET    /jobs                             .      .      .      any     any      any   .               .
GET    /jobs/{job_id}                    .      .      .      any     any      any   .               .
POST   /jobs/import                      .      .      .      any     .        any   .               .
POST   /jobs/deduplicate                 .      .      .      any     .        any   .               .
POST   /jobs/match                       .      .      .      any     .        any   .               .
POST   /jobs/build                       .      .      .      any     .        any   .               .
POST   /jobs/export                      .      .      .      any     any      any   .               yes
POST   /jobs/{job_id}/cancel             .      .      .      own     own      any   .               .
POST   /jobs/{job_id}/retry              .      .      .      own     own      any   .               .
GET    /people                           .      .      .      .       .        any   .               .
POST   /people/{person_id}               .      .      .      .       .        any   .               .
POST   /people/invitations               .      .      .      .       .        any   .               .
POST   /people/invitations/{number}/revoke .    .      .      .       .        any   .               .
GET    /audit                            .      .      .      .       .        any   .               .
GET    /api/me                           .      any    any    any     any      any   me              .
GET    /api/campaigns                    .      .      .      any     any      any   campaigns:read  .
GET    /api/campaigns/{campaign_id}      .      .      .      any     any      any   campaigns:read  yes
POST   /api/campaigns                    .      .      .      any     .        any   campaigns:write .
GET    /api/jobs                         .      .      .      any     any      any   jobs:read       .
GET    /api/jobs/{job_id}                .      .      .      any     any      any   jobs:read       .
GET    /api/jobs/{job_id}/log            .      .      .      any     any      any   jobs:read       .
POST   /api/jobs/import                  .      .      .      any     .        any   jobs:write      .
POST   /api/jobs/deduplicate             .      .      .      any     .        any   jobs:write      .
POST   /api/jobs/match                   .      .      .      any     .        any   jobs:write      .
POST   /api/jobs/build                   .      .      .      any     .        any   jobs:write      .
POST   /api/jobs/export                  .      .      .      any     any      any   jobs:write      yes
POST   /api/jobs/{job_id}/cancel         .      .      .      own     own      any   jobs:write      .
POST   /api/jobs/{job_id}/retry          .      .      .      own     own      any   jobs:write      .
GET    /api/exports                      .      .      .      any     any      any   exports:read    .
GET    /api/exports/{job_id}/{file}      .      .      .      any     any      any   exports:read    .
GET    /api/people                       .      .      .      any     .        any   people:read     .
PATCH  /api/people/{person_id}           .      .      .      .       .        any   people:write    .
GET    /api/invitations                  .      .      .      .       .        any   people:read     .
POST   /api/invitations                  .      .      .      .       .        any   people:write    .
DELETE /api/invitations/{number}         .      .      .      .       .        any   people:write    .
GET    /api/audit                        .      .      .      .       .        any   audit:read      .
"""


class Rule(NamedTuple):
    """A row of the table. `reach` lacks the roles to which the route is not open; `closed` is None where no
    campaign is involved."""

    method: str
    path: str
    reach: dict[str, Reach]
    scope: str | None
    closed: bool | None

    @property
    def public(self) -> bool:
        """Whether nobody needs to be known."""
        return NOBODY in self.reach


def rule_for(method: str, path: str) -> Rule | None:
    """The row of a route, by its path as it is declared; HEAD is GET."""
    return RULES.get(("GET" if method == "HEAD" else method, path))


def may(role: str, path: str, method: str = "GET") -> bool:
    """Whether people of this role may open a route at all."""
    rule = rule_for(method, path)
    return rule is not None and role in rule.reach


def may_use(role: str, scope: str) -> bool:
    """Whether a key with this scope opens anything to people of this role."""
    return any(role in rule.reach for rule in RULES.values() if rule.scope == scope)


def _rows() -> Iterator[Rule]:
    head, *lines = TABLE.strip().splitlines()
    roles = head.split()[2:8]
    for line in lines:
        method, path, *cells = line.split()
        *reach, scope, closed = cells
        granted = {role: REACHES[cell] for role, cell in zip(roles, reach, strict=True) if cell != "."}
        yield Rule(method, path, granted, None if scope == "." else scope, None if closed == "." else closed == "yes")


RULES = {(rule.method, rule.path): rule for rule in _rows()}
SCOPES = tuple(sorted({rule.scope for rule in RULES.values() if rule.scope}))
