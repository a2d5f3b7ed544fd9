"""The OpenAPI document is valid, complete, and equal to the snapshot that was reviewed."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from openapi_spec_validator import validate

from tests.operations import AUTHORIZATION_IGNORED, IDS, OPERATIONS, document

SNAPSHOT = Path(__file__).parent / "openapi.json"


def test_document_equals_the_snapshot() -> None:
    """A change of the API has to appear in the diff of the snapshot. Delete the file to write it again."""
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(document(), indent=1, ensure_ascii=False) + "\n")
        pytest.fail("The snapshot was written again: read its diff, and run the tests again.")
    assert document() == json.loads(SNAPSHOT.read_text())


def test_document_is_valid() -> None:
    validate(document())


def test_document_is_served(client: Client) -> None:
    response = client.get("/api/v1/openapi.json")
    assert response.json() == document()


def test_documentation_page_loads_nothing_from_other_servers(client: Client) -> None:
    page = client.get("/api/v1/docs").content.decode()
    assert "/static/ninja/swagger-ui-bundle.js" in page
    assert "http://" not in page
    assert "https://" not in page


def test_every_operation_has_a_unique_id_and_a_summary() -> None:
    assert len(set(IDS)) == len(IDS)
    assert all(operation["summary"] and " " in operation["summary"] for _, _, operation in OPERATIONS)


def test_operations_without_security_are_those_that_ignore_authorization() -> None:
    without = {operation["operationId"] for _, _, operation in OPERATIONS if "security" not in operation}
    assert without == AUTHORIZATION_IGNORED


@pytest.mark.parametrize("operation", [operation for _, _, operation in OPERATIONS], ids=IDS)
def test_operation_documents_its_problems(operation: dict[str, Any]) -> None:
    problems = {status: response for status, response in operation["responses"].items() if int(status) >= 400}
    required = {"422", "500", "503"} | ({"401", "429"} if "security" in operation else set())
    assert required <= problems.keys()
    assert all(list(response["content"]) == ["application/problem+json"] for response in problems.values())
