"""A language model of random weights: it talks nonsense, but loads at once and obeys a schema."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

_BLOCKS, _WIDTH, _HEADS = 1, 64, 2
_SPECIAL = ["<unk>", "<s>", "</s>"]
# A token for each byte: every text can be written, whatever a grammar asks for.
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def write(path: Path, *, seed: int = 0, ballast: int = 0) -> Path:
    """Write the model.

    Args:
        path: where to.
        seed: another seed gives another model.
        ballast: bytes to make it larger by; it stays as quick.

    Returns:
        The path.
    """
    random = np.random.default_rng(seed)
    words = [f"<unused{number}>" for number in range(ballast // (2 * _WIDTH * 4))]
    tokens = [*_SPECIAL, *_BYTES, *words]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(8192)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_BLOCKS)
    writer.add_feed_forward_length(_WIDTH * 2)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    kinds = gguf.TokenType
    writer.add_token_types(
        [kinds.UNKNOWN, kinds.CONTROL, kinds.CONTROL]
        + [kinds.BYTE] * len(_BYTES)
        + [kinds.UNUSED] * len(words)
    )
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)

    def tensor(name: str, *shape: int) -> None:
        weights = random.standard_normal(shape, dtype=np.float32) * 0.1
        writer.add_tensor(f"{name}.weight", weights)

    tensor("token_embd", len(tokens), _WIDTH)
    tensor("output", len(tokens), _WIDTH)
    tensor("output_norm", _WIDTH)
    for block in range(_BLOCKS):
        for norm in ("attn_norm", "ffn_norm"):
            tensor(f"blk.{block}.{norm}", _WIDTH)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensor(f"blk.{block}.{part}", _WIDTH, _WIDTH)
        tensor(f"blk.{block}.ffn_gate", _WIDTH * 2, _WIDTH)
        tensor(f"blk.{block}.ffn_up", _WIDTH * 2, _WIDTH)
        tensor(f"blk.{block}.ffn_down", _WIDTH, _WIDTH * 2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
