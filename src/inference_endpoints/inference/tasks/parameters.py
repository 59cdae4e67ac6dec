"""The parameters of tasks, with their types, by the names of the published task schemas.

Engines have more of their own, which pass. A name that is nearly a known one is a typing error and refused. The clients
show them by name in the order of huggingface_hub, which comes before what only other clients and engines have.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Types = dict[str, Any]
"""Types by name."""


class CallParameters(TypedDict, total=False):
    """What every method of the clients takes beside the parameters of its task.

    `model` is this endpoint's own or None. `timeout` is in seconds, for the whole call. `extra_body` has parameters of
    the engine's own; they replace others of the same name.
    """

    model: str | None
    extra_body: Mapping[str, Any] | None
    timeout: float | None


class Classified(CallParameters, total=False):
    top_k: int | None
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None


class Generated(CallParameters, total=False):
    adapter_id: str | None
    best_of: int | None
    decoder_input_details: bool | None
    do_sample: bool | None
    frequency_penalty: float | None
    grammar: Mapping[str, Any] | None
    max_new_tokens: int | None
    repetition_penalty: float | None
    return_full_text: bool | None
    seed: int | None
    stop: str | list[str] | None
    temperature: float | None
    top_k: int | None
    top_n_tokens: int | None
    top_p: float | None
    truncate: int | None
    typical_p: float | None
    watermark: bool | None


class ZeroShot(CallParameters, total=False):
    hypothesis_template: str | None


class Embedded(CallParameters, total=False):
    normalize: bool | None
    prompt_name: str | None
    truncate: bool | None
    truncation_direction: Literal["left", "right"] | None
    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None


class Entities(CallParameters, total=False):
    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] | None
    ignore_labels: list[str] | None
    stride: int | None


class InText(CallParameters, total=False):
    align_to_words: bool | None
    doc_stride: int | None
    handle_impossible_answer: bool | None
    max_answer_len: int | None
    max_question_len: int | None
    max_seq_len: int | None
    top_k: int | None


class InDocument(CallParameters, total=False):
    doc_stride: int | None
    handle_impossible_answer: bool | None
    lang: str | None
    max_answer_len: int | None
    max_question_len: int | None
    max_seq_len: int | None
    top_k: int | None
    word_boxes: Sequence[list[float] | str] | None


class InImage(CallParameters, total=False):
    top_k: int | None


class InTable(CallParameters, total=False):
    padding: Literal["do_not_pad", "longest", "max_length"] | None
    sequential: bool | None
    truncation: bool | None


class Masked(CallParameters, total=False):
    targets: list[str] | None
    top_k: int | None


Truncation = Literal["do_not_truncate", "longest_first", "only_first", "only_second"]


class Rewritten(CallParameters, total=False):
    clean_up_tokenization_spaces: bool | None
    generate_parameters: dict[str, Any] | None
    truncation: Truncation | None
    max_length: int | None
    min_length: int | None


class Translated(CallParameters, total=False):
    src_lang: str | None
    tgt_lang: str | None
    clean_up_tokenization_spaces: bool | None
    truncation: Truncation | None
    generate_parameters: dict[str, Any] | None
    max_length: int | None
    min_length: int | None


class Heard(CallParameters, total=False):
    return_timestamps: bool | str | None
    generation_parameters: dict[str, Any] | None
    language: str | None
    temperature: float | None


class Spoken(CallParameters, total=False):
    do_sample: bool | None
    early_stopping: bool | Literal["never"] | None
    epsilon_cutoff: float | None
    eta_cutoff: float | None
    max_length: int | None
    max_new_tokens: int | None
    min_length: int | None
    min_new_tokens: int | None
    num_beam_groups: int | None
    num_beams: int | None
    penalty_alpha: float | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    typical_p: float | None
    use_cache: bool | None
    generation_parameters: dict[str, Any] | None
    voice: str | None
    speed: float | None
    response_format: str | None


class Described(CallParameters, total=False):
    max_new_tokens: int | None
    generation_parameters: dict[str, Any] | None


class Detected(CallParameters, total=False):
    threshold: float | None


class Segmented(CallParameters, total=False):
    mask_threshold: float | None
    overlap_mask_area_threshold: float | None
    subtask: Literal["instance", "panoptic", "semantic"] | None
    threshold: float | None


class Drawn(CallParameters, total=False):
    negative_prompt: str | None
    height: int | None
    width: int | None
    num_inference_steps: int | None
    guidance_scale: float | None
    scheduler: str | None
    seed: int | None
    num_images_per_prompt: int | None


class Redrawn(CallParameters, total=False):
    negative_prompt: str | None
    num_inference_steps: int | None
    guidance_scale: float | None
    target_size: Mapping[str, int] | None
    strength: float | None
    seed: int | None


def types_of(kind: type[Any]) -> Types:
    """The parameters of a task by name, without what every call has."""
    return {name: shown for name, shown in kind.__annotations__.items() if name not in CallParameters.__annotations__}


CLASSIFIED = types_of(Classified)
GENERATED = types_of(Generated) | {"max_tokens": int, "n": int, "details": bool}
CANDIDATES: Types = {"candidate_labels": list[str]} | types_of(ZeroShot)
ZERO_SHOT = CANDIDATES | {"multi_label": bool}
EMBEDDED = types_of(Embedded)
RANKED: Types = {"raw_scores": bool, "return_text": bool, "truncate": bool, "top_n": int}
ENTITIES = types_of(Entities)
IN_TEXT = types_of(InText)
IN_DOCUMENT = types_of(InDocument)
IN_IMAGE = types_of(InImage)
IN_TABLE = types_of(InTable)
MASKED = types_of(Masked)
REWRITTEN = types_of(Rewritten)
TRANSLATED = types_of(Translated)
HEARD = types_of(Heard)
SPOKEN = types_of(Spoken)
DESCRIBED = types_of(Described)
DETECTED = types_of(Detected)
SEGMENTED = types_of(Segmented)
DRAWN = types_of(Drawn)
REDRAWN: Types = {"prompt": str} | types_of(Redrawn)
