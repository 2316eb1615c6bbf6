"""A device made of CPU tensors in disguise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor
from torch.backends import cudnn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"
#: What the host waited for, in order: operators whose result it needs, copies between devices.
waits: list[str] = []


class Convolution(NamedTuple):
    """What a convolution was given: with one channel or one pixel it is in both formats."""

    dtype: torch.dtype
    tf32: bool
    images: set[torch.memory_format]
    weights: set[torch.memory_format]


convolutions: list[Convolution] = []

_BETWEEN_DEVICES = {"aten::_to_copy", "aten::copy_", "aten::_copy_from"}
_ANSWERS_TO_THE_HOST = {
    "aten::_local_scalar_dense", "aten::equal", "aten::masked_select", "aten::nonzero",
    "aten::repeat_interleave", "aten::_unique2",
}  # fmt: skip
_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
_CONVOLUTIONS = {"aten::convolution", "aten::convolution_overrideable"}


class PretendTensor(Tensor):
    """A tensor of the device; ``raw`` has its numbers."""

    raw: Tensor

    @staticmethod
    def __new__(cls, raw: Tensor) -> PretendTensor:
        wrapper = Tensor._make_wrapper_subclass(
            cls, raw.shape, strides=raw.stride(), storage_offset=raw.storage_offset(),
            dtype=raw.dtype, device=torch.device(NAME, 0),
        )  # fmt: skip
        wrapper.raw = raw
        return wrapper

    @property
    def data(self) -> Tensor:
        """Without its gradient's history; what it is set to, it shows from then on."""
        return Tensor.data.__get__(self)  # type: ignore[attr-defined]

    @data.setter
    def data(self, value: PretendTensor) -> None:
        Tensor.data.__set__(self, value)  # type: ignore[attr-defined]
        self.raw = value.raw

    def tolist(self) -> Any:
        waits.append("tolist")
        return self.raw.tolist()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Written to a file it is read back onto the CPU, which is where rst_core reads to."""
        waits.append("written")
        return self.raw.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class PretendGenerator(torch.Generator):
    """A generator that says on which device it draws."""

    def __new__(cls, device: torch.device | str = "cpu") -> PretendGenerator:
        made = super().__new__(cls, "cpu")
        made.__dict__["_device"] = torch.empty(0, device=device).device
        return made

    def __init__(self, device: torch.device | str = "cpu") -> None:
        pass

    @property
    def device(self) -> torch.device:
        """Where it draws."""
        return self.__dict__["_device"]


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Compute an operator on the CPU as the device would, and complain as it would."""
    name = func._schema.name
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    ours = any(isinstance(tensor, PretendTensor) for tensor in tensors)
    result_is_ours = ours
    if kwargs.get("device") is not None:
        result_is_ours = torch.device(kwargs["device"]).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu")}
    _note_waits(name, args, tensors, result_is_ours)
    if ours and name not in _BETWEEN_DEVICES:
        _check_devices(name, args, tensors)
    for leaf in leaves:
        if isinstance(leaf, torch.Generator) and (leaf.device.type == NAME) != result_is_ours:
            _complain(f"{name}: the generator is on {leaf.device}, the result is not")
    if ours and name in _CONVOLUTIONS:
        images, weights = (_formats(operand.raw) for operand in args[:2])
        convolutions.append(Convolution(args[0].dtype, cudnn.allow_tf32, images, weights))
    if name == "aten::_copy_from":
        _raw(args[1]).copy_(_raw(args[0]))
        return args[1]
    raw_args, raw_kwargs = tree_map(_raw, (args, kwargs))
    returned = {id(_raw(tensor)): tensor for tensor in tensors}

    def disguise(value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) in returned:  # computed in place
            wrapper = returned[id(value)]
            if (wrapper.shape, wrapper.stride()) != (value.shape, value.stride()):
                wrapper.data = PretendTensor(value)
            return wrapper
        return PretendTensor(value) if result_is_ours else value

    return tree_map(disguise, func(*raw_args, **raw_kwargs))


def _complain(message: str) -> NoReturn:
    """Also in words: what is raised while torch differentiates ends the process without any."""
    print(message, file=sys.stderr, flush=True)
    raise RuntimeError(message)


def _raw(value: Any) -> Any:
    return value.raw if isinstance(value, PretendTensor) else value


def _formats(raw: Tensor) -> set[torch.memory_format]:
    known = (torch.contiguous_format, torch.channels_last)
    return {format for format in known if raw.is_contiguous(memory_format=format)}


def _check_devices(name: str, args: Any, tensors: list[Tensor]) -> None:
    """As on CUDA: scalars of the host may take part, and so may its indices."""
    allowed = {id(index) for index in args[1]} if name in _INDEXING else set()
    for tensor in tensors:
        if not isinstance(tensor, PretendTensor) and tensor.dim() and id(tensor) not in allowed:
            places = ", ".join(f"{t.device} {tuple(t.shape)}" for t in tensors)
            _complain(f"{name}: expected all tensors to be on the same device: {places}")


def _note_waits(name: str, args: Any, tensors: list[Tensor], result_is_ours: bool) -> None:
    ours = any(isinstance(tensor, PretendTensor) for tensor in tensors)
    if name == "aten::copy_":
        waiting = isinstance(args[0], PretendTensor) != isinstance(args[1], PretendTensor)
    elif name in _BETWEEN_DEVICES:
        waiting = ours != result_is_ours or name == "aten::_copy_from"
    elif name in _INDEXING and ours:
        # A mask has to be counted before the result has a size; an index has to be fetched.
        found = [index for index in args[1] if index is not None]
        waiting = any(i.dtype in (torch.bool, torch.uint8) for i in found) or not all(
            isinstance(i, PretendTensor) for i in found
        )
    else:
        waiting = ours and name in _ANSWERS_TO_THE_HOST
    if waiting:
        waits.append(name)


class _Module:
    """``torch.pretend``: what torch asks of a device."""

    def is_initialized(self) -> bool:
        return True

    def is_available(self) -> bool:
        return True

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        """Its draws are the CPU's, which are seeded anyway."""

    def get_rng_state(self, device: object = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: object = None) -> None:
        torch.set_rng_state(state)

    @contextmanager
    def device(self, index: int) -> Iterator[None]:
        yield

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_registered: list[torch.library.Library] = []
#: Made with Python's dispatch switched off, so that a fallback is not asked.
_MADE_BENEATH = ("_copy_from", "_to_copy", "copy_", "empty.memory_format", "empty_strided")
_IN_BFLOAT16 = ("conv2d", "linear", "matmul", "mm")


def register() -> torch.device:
    """Register the device, once in a process and before anything is differentiated in it."""
    if not _registered:
        _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
        everything = torch.library.Library("_", "IMPL")
        beneath = torch.library.Library("aten", "IMPL")
        everything.fallback(lambda op, *args, **kwargs: run(op, args, kwargs), "PrivateUse1")
        everything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
        for name in _MADE_BENEATH:
            beneath.impl(name, _kernel(_overload(name)), "PrivateUse1")
        for name in _IN_BFLOAT16:
            beneath.impl(name, _autocast(_overload(name)), "AutocastPrivateUse1")
        _registered.extend([everything, beneath])
    return torch.device(NAME, 0)


def _overload(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _kernel(op: Any) -> Any:
    return lambda *args, **kwargs: run(op, args, kwargs)


def _autocast(op: Any) -> Any:
    """What autocast does around the operators that gain from bfloat16."""
    key = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)

    def cast(value: Any) -> Any:
        if isinstance(value, Tensor) and value.dtype is torch.float32:
            return value.to(torch.get_autocast_dtype(NAME))
        return value

    def kernel(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(key):
            return op(*tree_map(cast, args), **tree_map(cast, kwargs))

    return kernel
