"""The parameters of tasks, with their types, by the names of the published task schemas.

Engines have more of their own, which pass. A name that is nearly a known one is a typing error and refused.
"""

from typing import Any, Literal

Types = dict[str, Any]

TOP_K: Types = {"top_k": int}
CLASSIFIED = TOP_K | {"function_to_apply": Literal["sigmoid", "softmax", "none"]}
GENERATED: Types = {
    "max_new_tokens": int,
    "max_tokens": int,
    "temperature": float,
    "top_k": int,
    "top_p": float,
    "do_sample": bool,
    "repetition_penalty": float,
    "return_full_text": bool,
    "seed": int,
    "stop": str | list[str],
    "n": int,
}
CANDIDATES: Types = {"candidate_labels": list[str], "hypothesis_template": str}
ZERO_SHOT = CANDIDATES | {"multi_label": bool}
EMBEDDED: Types = {
    "normalize": bool,
    "truncate": bool,
    "truncation_direction": str,
    "prompt_name": str,
    "dimensions": int,
    "encoding_format": Literal["float", "base64"],
}
RANKED: Types = {"raw_scores": bool, "return_text": bool, "truncate": bool, "top_n": int}
ENTITIES: Types = {
    "aggregation_strategy": Literal["none", "simple", "first", "average", "max"],
    "ignore_labels": list[str],
    "stride": int,
}
ANSWERED = TOP_K | {
    "doc_stride": int,
    "max_answer_len": int,
    "max_seq_len": int,
    "max_question_len": int,
    "handle_impossible_answer": bool,
}
IN_TEXT = ANSWERED | {"align_to_words": bool}
IN_DOCUMENT = ANSWERED | {"lang": str, "word_boxes": list[Any]}
IN_TABLE: Types = {"padding": str, "sequential": bool, "truncation": bool}
MASKED = TOP_K | {"targets": list[str]}
REWRITTEN: Types = {
    "clean_up_tokenization_spaces": bool,
    "truncation": str,
    "generate_parameters": dict[str, Any],
    "max_length": int,
    "min_length": int,
}
TRANSLATED = REWRITTEN | {"src_lang": str, "tgt_lang": str}
HEARD: Types = {
    "return_timestamps": bool | str,
    "generation_parameters": dict[str, Any],
    "language": str,
    "temperature": float,
}
SPOKEN: Types = {"generation_parameters": dict[str, Any], "voice": str, "speed": float, "response_format": str}
DESCRIBED: Types = {"max_new_tokens": int, "generation_parameters": dict[str, Any]}
DETECTED: Types = {"threshold": float}
SEGMENTED: Types = {
    "mask_threshold": float,
    "overlap_mask_area_threshold": float,
    "subtask": Literal["instance", "panoptic", "semantic"],
    "threshold": float,
}
DRAWN: Types = {
    "negative_prompt": str,
    "width": int,
    "height": int,
    "guidance_scale": float,
    "num_inference_steps": int,
    "num_images_per_prompt": int,
    "scheduler": str,
    "seed": int,
}
REDRAWN: Types = {
    "prompt": str,
    "negative_prompt": str,
    "guidance_scale": float,
    "num_inference_steps": int,
    "strength": float,
    "target_size": dict[str, int],
    "seed": int,
}
