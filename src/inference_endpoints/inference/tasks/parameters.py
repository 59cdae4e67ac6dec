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


class ClassificationParameters(CallParameters, total=False):
    top_k: int | None
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None


class TextGenerationParameters(CallParameters, total=False):
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


class ZeroShotParameters(CallParameters, total=False):
    hypothesis_template: str | None


class FeatureExtractionParameters(CallParameters, total=False):
    normalize: bool | None
    prompt_name: str | None
    truncate: bool | None
    truncation_direction: Literal["left", "right"] | None
    dimensions: int | None
    encoding_format: Literal["float", "base64"] | None


class TokenClassificationParameters(CallParameters, total=False):
    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] | None
    ignore_labels: list[str] | None
    stride: int | None


class QuestionAnsweringParameters(CallParameters, total=False):
    align_to_words: bool | None
    doc_stride: int | None
    handle_impossible_answer: bool | None
    max_answer_len: int | None
    max_question_len: int | None
    max_seq_len: int | None
    top_k: int | None


class DocumentQuestionAnsweringParameters(CallParameters, total=False):
    doc_stride: int | None
    handle_impossible_answer: bool | None
    lang: str | None
    max_answer_len: int | None
    max_question_len: int | None
    max_seq_len: int | None
    top_k: int | None
    word_boxes: Sequence[list[float] | str] | None


class VisualQuestionAnsweringParameters(CallParameters, total=False):
    top_k: int | None


class TableQuestionAnsweringParameters(CallParameters, total=False):
    padding: Literal["do_not_pad", "longest", "max_length"] | None
    sequential: bool | None
    truncation: bool | None


class FillMaskParameters(CallParameters, total=False):
    targets: list[str] | None
    top_k: int | None


Truncation = Literal["do_not_truncate", "longest_first", "only_first", "only_second"]


class SummarizationParameters(CallParameters, total=False):
    clean_up_tokenization_spaces: bool | None
    generate_parameters: dict[str, Any] | None
    truncation: Truncation | None
    max_length: int | None
    min_length: int | None


class TranslationParameters(CallParameters, total=False):
    src_lang: str | None
    tgt_lang: str | None
    clean_up_tokenization_spaces: bool | None
    truncation: Truncation | None
    generate_parameters: dict[str, Any] | None
    max_length: int | None
    min_length: int | None


class SpeechRecognitionParameters(CallParameters, total=False):
    return_timestamps: bool | str | None
    generation_parameters: dict[str, Any] | None
    language: str | None
    temperature: float | None


class TextToSpeechParameters(CallParameters, total=False):
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


class ImageToTextParameters(CallParameters, total=False):
    max_new_tokens: int | None
    generation_parameters: dict[str, Any] | None


class ObjectDetectionParameters(CallParameters, total=False):
    threshold: float | None


class ImageSegmentationParameters(CallParameters, total=False):
    mask_threshold: float | None
    overlap_mask_area_threshold: float | None
    subtask: Literal["instance", "panoptic", "semantic"] | None
    threshold: float | None


class TextToImageParameters(CallParameters, total=False):
    negative_prompt: str | None
    height: int | None
    width: int | None
    num_inference_steps: int | None
    guidance_scale: float | None
    scheduler: str | None
    seed: int | None
    num_images_per_prompt: int | None


class ImageToImageParameters(CallParameters, total=False):
    negative_prompt: str | None
    num_inference_steps: int | None
    guidance_scale: float | None
    target_size: Mapping[str, int] | None
    strength: float | None
    seed: int | None


def types_of(kind: type[Any]) -> Types:
    """The parameters of a task by name, without what every call has."""
    return {name: shown for name, shown in kind.__annotations__.items() if name not in CallParameters.__annotations__}


CLASSIFICATION = types_of(ClassificationParameters)
TEXT_GENERATION = types_of(TextGenerationParameters) | {"max_tokens": int, "n": int, "details": bool}
IMAGE_ZERO_SHOT: Types = {"candidate_labels": list[str]} | types_of(ZeroShotParameters)
TEXT_ZERO_SHOT = IMAGE_ZERO_SHOT | {"multi_label": bool}
FEATURE_EXTRACTION = types_of(FeatureExtractionParameters)
RERANKING: Types = {"raw_scores": bool, "return_text": bool, "truncate": bool, "top_n": int}
TOKEN_CLASSIFICATION = types_of(TokenClassificationParameters)
QUESTION_ANSWERING = types_of(QuestionAnsweringParameters)
DOCUMENT_QUESTION_ANSWERING = types_of(DocumentQuestionAnsweringParameters)
VISUAL_QUESTION_ANSWERING = types_of(VisualQuestionAnsweringParameters)
TABLE_QUESTION_ANSWERING = types_of(TableQuestionAnsweringParameters)
FILL_MASK = types_of(FillMaskParameters)
SUMMARIZATION = types_of(SummarizationParameters)
TRANSLATION = types_of(TranslationParameters)
SPEECH_RECOGNITION = types_of(SpeechRecognitionParameters)
TEXT_TO_SPEECH = types_of(TextToSpeechParameters)
IMAGE_TO_TEXT = types_of(ImageToTextParameters)
OBJECT_DETECTION = types_of(ObjectDetectionParameters)
IMAGE_SEGMENTATION = types_of(ImageSegmentationParameters)
TEXT_TO_IMAGE = types_of(TextToImageParameters)
IMAGE_TO_IMAGE: Types = {"prompt": str} | types_of(ImageToImageParameters)
