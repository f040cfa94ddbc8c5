"""Small models of the `transformers` package with random weights, and seeded inputs of their kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import transformers as hf

Feed = dict[str, np.ndarray]

TOKENS, WIDTH = 512, 128


def text(rng: np.random.Generator, batch: int, length: int) -> Feed:
    """Ids below the vocabulary (0 to 3 are special in some), the rows padded on the right to one length."""
    ids = rng.integers(4, TOKENS, (batch, length))
    mask = np.arange(length) < rng.integers(length // 2, length + 1, (batch, 1))
    mask[0] = True
    return {"input_ids": ids, "attention_mask": mask.astype(np.int64)}


def image(rng: np.random.Generator, batch: int, length: int) -> Feed:
    """Normalised pixels."""
    return {"pixel_values": rng.normal(size=(batch, 3, 64, 64)).astype(np.float32)}


def spectrogram(rng: np.random.Generator, batch: int, length: int) -> Feed:
    """A log-mel spectrogram of the one length that the model takes."""
    return {"input_features": rng.normal(size=(batch, 80, 64)).astype(np.float32)}


def wave(rng: np.random.Generator, batch: int, length: int) -> Feed:
    """Sound at 16 kHz, normalised."""
    return {"input_values": rng.normal(size=(batch, 320 * length)).astype(np.float32)}


OPEN = {
    text: {"input_ids": {0: "batch", 1: "length"}, "attention_mask": {0: "batch", 1: "length"}},
    image: {"pixel_values": {0: "batch"}},
    spectrogram: {"input_features": {0: "batch"}},
    wave: {"input_values": {0: "batch", 1: "length"}},
}
"""The dimensions that are to stay open, by kind of input."""

_TEXT = {"vocab_size": TOKENS, "max_position_embeddings": 64}
_LAYERS = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 2 * WIDTH}
_DISENTANGLED = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]}

ARCHITECTURES: dict[str, tuple[Callable[..., Feed], Callable[[], Any]]] = {
    "BERT": (text, lambda: hf.BertModel(hf.BertConfig(**_TEXT, **_LAYERS))),
    "DistilBERT": (
        text,
        lambda: hf.DistilBertModel(
            hf.DistilBertConfig(**_TEXT, dim=WIDTH, n_layers=2, n_heads=4, hidden_dim=2 * WIDTH)
        ),
    ),
    "RoBERTa": (text, lambda: hf.RobertaModel(hf.RobertaConfig(**_TEXT, **_LAYERS))),
    "DeBERTa": (text, lambda: hf.DebertaModel(hf.DebertaConfig(**_TEXT, **_LAYERS, **_DISENTANGLED))),
    "DeBERTa-v2": (text, lambda: hf.DebertaV2Model(hf.DebertaV2Config(**_TEXT, **_LAYERS, **_DISENTANGLED))),
    "T5 encoder": (
        text,
        lambda: hf.T5EncoderModel(
            hf.T5Config(vocab_size=TOKENS, d_model=WIDTH, d_kv=32, d_ff=2 * WIDTH, num_layers=2, num_heads=4)
        ),
    ),
    "GPT-2": (
        text,
        lambda: hf.GPT2LMHeadModel(
            hf.GPT2Config(
                vocab_size=TOKENS,
                n_positions=64,
                n_embd=WIDTH,
                n_layer=2,
                n_head=4,
                use_cache=False,
                bos_token_id=0,
                eos_token_id=0,
            )
        ),
    ),
    "Llama": (
        text,
        lambda: hf.LlamaForCausalLM(hf.LlamaConfig(**_TEXT, **_LAYERS, num_key_value_heads=2, use_cache=False)),
    ),
    "ViT": (image, lambda: hf.ViTModel(hf.ViTConfig(**_LAYERS, image_size=64, patch_size=8))),
    "Swin": (
        image,
        lambda: hf.SwinModel(
            hf.SwinConfig(image_size=64, patch_size=4, embed_dim=64, depths=[2, 2], num_heads=[2, 4], window_size=4)
        ),
    ),
    "ConvNeXt": (
        image,
        lambda: hf.ConvNextModel(hf.ConvNextConfig(hidden_sizes=[64, 128], depths=[2, 2], num_stages=2)),
    ),
    "Whisper encoder": (
        spectrogram,
        lambda: (
            hf.WhisperModel(
                hf.WhisperConfig(
                    d_model=WIDTH,
                    encoder_layers=2,
                    encoder_attention_heads=4,
                    decoder_attention_heads=4,
                    encoder_ffn_dim=2 * WIDTH,
                    decoder_layers=1,
                    max_source_positions=32,
                )
            ).encoder
        ),
    ),
    "wav2vec2": (
        wave,
        lambda: hf.Wav2Vec2Model(
            hf.Wav2Vec2Config(**_LAYERS, conv_dim=[64] * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
        ),
    ),
}
