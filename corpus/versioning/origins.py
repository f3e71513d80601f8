"""Where dialogues come from: licence and patients' consent of each source, as somebody who knows has written down."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from foundation.errors import ZhongjingError
from foundation.files import existing_file

UNKNOWN = "unknown"


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a source. `licence` is an SPDX identifier or a sentence, `consent` a sentence."""

    licence: str = UNKNOWN
    consent: str = UNKNOWN
    note: str = ""


Origins = dict[str, Origin]


def read_origins(path: Path) -> Origins:
    """A YAML or JSON file that maps names of sources to `Origin`."""
    try:
        content = yaml.safe_load(existing_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ZhongjingError("this is neither YAML nor JSON", where=path) from error
    try:
        return msgspec.convert(content, Origins)
    except msgspec.ValidationError as error:
        raise ZhongjingError(
            f"this does not say where sources come from: {error}",
            where=path,
            hint='write for each source, for example: cmtmedqa: {licence: Apache-2.0, consent: "not asked"}',
        ) from error
