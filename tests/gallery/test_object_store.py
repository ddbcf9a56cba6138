"""Galleries on an object store, by a local server that speaks S3."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from nearkin.encoders.encoder import Encoder
from nearkin.errors import ArtefactError, InvalidInput
from nearkin.gallery import reader as module
from nearkin.gallery.gallery import Gallery
from tests.cli.test_index_search import make_encoder
from tests.fakes import FakeEncoder, draw_noise


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, str]]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    key = {"aws_access_key_id": "key", "aws_secret_access_key": "secret"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **key).create_bucket(Bucket="bucket")
    yield {**key, "aws_region": "us-east-1", "aws_endpoint": url, "allow_http": "true"}
    server.stop()


def test_all_of_it(storage: dict[str, str], tmp_path: Path) -> None:
    pictures = draw_noise(tmp_path / "pictures", range(5))
    gallery = Gallery.create("s3://bucket/all", FakeEncoder(), storage=storage)
    assert gallery.add(tmp_path / "pictures").added == 5
    assert gallery.add(tmp_path / "pictures").unchanged == 5
    assert Gallery.is_at("s3://bucket/all", storage=storage)
    assert gallery.search(pictures[3], k=1)[0].id == 3
    reader = Gallery.open("s3://bucket/all/", FakeEncoder(), storage=storage)
    assert reader.update({"label": "mug"}, [1, 2], create=True) == 2
    assert gallery.delete([2]) == 1
    assert gallery.search(pictures[2], k=5, where="label = 'mug'").ids.tolist() == [1]
    assert gallery.export(tmp_path / "out.parquet") == 4
    assert gallery.build("exact").kind == "exact"
    assert gallery.check().sound
    assert gallery.reindex(FakeEncoder(dim=8, name="new")).items == 4
    assert gallery.search(pictures[3], k=1)[0].id == 3
    assert repr(gallery) == "Gallery('s3://bucket/all', 4 items, encoder new-8)"
    with pytest.raises(InvalidInput, match="is a gallery already"):
        Gallery.create("s3://bucket/all", FakeEncoder(), storage=storage)
    with pytest.raises(InvalidInput, match="has no local folder"):
        _ = gallery.path


def test_its_own_copy_of_the_encoder(storage: dict[str, str], tmp_path: Path) -> None:
    encoder = make_encoder(0)
    Gallery.create("s3://bucket/own", encoder, storage=storage)
    opened = Gallery.open("s3://bucket/own", storage=storage)
    assert isinstance(opened.encoder, Encoder)
    assert opened.encoder.fingerprint == encoder.fingerprint


def test_a_reader_sees_news_after_a_second(
    storage: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Gallery.create("s3://bucket/news", FakeEncoder(dim=4), storage=storage)
    reader = Gallery.open("s3://bucket/news", storage=storage)
    monkeypatch.setattr(module, "RECHECK_SECONDS", 1000.0)
    writer.add_vectors(["/a"], np.eye(1, 4))
    assert len(writer) == 1
    assert len(reader) == 0
    monkeypatch.setattr(module, "RECHECK_SECONDS", 0.0)
    assert len(reader) == 1


def test_writers_at_once_lose_and_double_nothing(storage: dict[str, str]) -> None:
    """No lock keeps them apart, and some uris are added by all of them."""
    Gallery.create("s3://bucket/many", FakeEncoder(dim=4), storage=storage)

    def write(number: int) -> None:
        gallery = Gallery.open("s3://bucket/many", storage=storage)
        for i in range(3):
            gallery.add_vectors([f"/{number}-{i}", f"/shared-{i}"], np.full((2, 4), i + 1.0))
        gallery.delete(where=f"uri = '/{number}-0'")

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(2)))
    gallery = Gallery.open("s3://bucket/many", storage=storage)
    uris = [hit.uri for hit in gallery.search(np.ones(4), k=100)]
    assert sorted(uris) == sorted(
        [f"/{n}-{i}" for n in range(2) for i in range(1, 3)] + [f"/shared-{i}" for i in range(3)]
    )
    assert gallery.check().faults == ()


def test_classes(storage: dict[str, str], tmp_path: Path) -> None:
    pictures = draw_noise(tmp_path / "pictures", range(6))
    gallery = Gallery.create("s3://bucket/classes", FakeEncoder(), storage=storage)
    assert gallery.classes() == []
    gallery.enroll("Anna", pictures[0], force=True)
    gallery.enroll("Bob", pictures[1:3], force=True)
    gallery.reject(pictures[3], "Anna")
    gallery.ignore(pictures[4])
    gallery.rename("Bob", "Robert")
    reader = Gallery.open("s3://bucket/classes", FakeEncoder(), storage=storage)
    assert {each.name: each.examples for each in reader.classes()} == {"Anna": 1, "Robert": 2}
    assert [one.name for one in reader.recognize(pictures[3])[0].candidates] == ["Robert"]
    new = FakeEncoder(dim=8, name="new")
    assert gallery.reindex(new).examples == 5
    reader = Gallery.open("s3://bucket/classes", new, storage=storage)
    assert [one.name for one in reader.recognize(pictures[3])[0].candidates] == ["Robert"]
    assert reader.check().sound
    reader.forget("Anna", erase=True)
    assert [each.name for each in reader.classes()] == ["Robert"]


def test_enrolling_at_once(storage: dict[str, str], tmp_path: Path) -> None:
    """No lock keeps the writers apart; numbers are unique all the same."""
    Gallery.create("s3://bucket/at-once", FakeEncoder(dim=4), storage=storage)

    def write(number: int) -> None:
        gallery = Gallery.open("s3://bucket/at-once", FakeEncoder(dim=4), storage=storage)
        for i in range(3):
            gallery.enroll(f"class {i}", vectors=np.eye(4)[i] + 0.1 * number, force=True)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(2)))
    gallery = Gallery.open("s3://bucket/at-once", FakeEncoder(dim=4), storage=storage)
    assert {each.name: each.examples for each in gallery.classes()} == {f"class {i}": 2 for i in range(3)}
    numbers = gallery._registry.log.rows()["number"].to_pylist()
    assert len(set(numbers)) == 6


def test_what_is_not_there(storage: dict[str, str]) -> None:
    with pytest.raises(ArtefactError, match="no gallery at 's3://bucket/nothing'"):
        Gallery.open("s3://bucket/nothing", storage=storage)
    with pytest.raises(ArtefactError, match="s3://no-bucket/x"):
        Gallery.open("s3://no-bucket/x", storage={**storage, "client_max_retries": "0"})
