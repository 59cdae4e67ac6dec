"""The tasks on texts and tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack, cast

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.hub_client.endpoint_calls import EndpointCalls
from inference_endpoints.inference.hub_client.results import SummarizationOutput, TranslationOutput, as_array
from inference_endpoints.inference.hub_client.signatures import named_parameters
from inference_endpoints.inference.tasks.outputs import Answer, Entity, Label, MaskCandidate, TableAnswer
from inference_endpoints.inference.tasks.parameters import (
    CallParameters,
    ClassificationParameters,
    FeatureExtractionParameters,
    FillMaskParameters,
    QuestionAnsweringParameters,
    SummarizationParameters,
    TableQuestionAnsweringParameters,
    TokenClassificationParameters,
    TranslationParameters,
    ZeroShotParameters,
)

if TYPE_CHECKING:
    from numpy import ndarray


class TextTasks(EndpointCalls):
    """Tasks on texts and tables, to be awaited."""

    # `self` is any client: the blocking one calls these methods with itself (see blocking.py).

    @named_parameters
    async def feature_extraction(
        self: EndpointCalls, text: str | Sequence[str], **parameters: Unpack[FeatureExtractionParameters]
    ) -> "ndarray[Any, Any]":
        """Embed texts: an array with a row for each text, also for one. `dimensions` is the length of a row.

        A list of vectors where numpy is not installed, and of mappings from models with sparse vectors.

        >>> vectors = await client.feature_extraction("It rains.", normalize=True)
        >>> vectors.shape
        (1, 2)
        """
        texts = [text] if isinstance(text, str) else _listed(text, "text")
        return as_array(await self._run("feature-extraction", texts, parameters))

    @named_parameters
    async def sentence_similarity(
        self: EndpointCalls, sentence: str, other_sentences: Sequence[str], **parameters: Unpack[CallParameters]
    ) -> list[float]:
        """Compare a sentence to each of the others, from -1 to 1.

        >>> await client.sentence_similarity("It rains.", ["It is wet.", "I like cats."])
        [0.9, 0.1]
        """
        pair = {"source_sentence": sentence, "sentences": _listed(other_sentences, "other_sentences")}
        return cast("list[float]", await self._run("sentence-similarity", pair, parameters))

    @named_parameters
    async def text_classification(
        self: EndpointCalls, text: str, **parameters: Unpack[ClassificationParameters]
    ) -> list[Label]:
        """Classify a text: labels with scores, best first.

        >>> await client.text_classification("I like it.", top_k=1)
        [Label(label='POSITIVE', score=0.9)]
        """
        return cast("list[Label]", await self._run("text-classification", {"text": text}, parameters))

    @named_parameters
    async def zero_shot_classification(
        self: EndpointCalls,
        text: str,
        candidate_labels: Sequence[str],
        *,
        multi_label: bool | None = False,
        **parameters: Unpack[ZeroShotParameters],
    ) -> list[Label]:
        """Score how well each label fits a text. `multi_label`: the scores are independent of each other.

        >>> labels = await client.zero_shot_classification("It rains.", ["weather", "sport"])
        >>> labels[0].label
        'weather'
        """
        own = {"candidate_labels": _listed(candidate_labels, "candidate_labels"), "multi_label": multi_label}
        found = await self._run("zero-shot-classification", {"text": text}, {**own, **parameters})
        return cast("list[Label]", found)

    @named_parameters
    async def token_classification(
        self: EndpointCalls, text: str, **parameters: Unpack[TokenClassificationParameters]
    ) -> list[Entity]:
        """Find the entities of a text, in its order.

        >>> entities = await client.token_classification("I live in Paris.")
        >>> entities[0].word, entities[0]["entity_group"]
        ('Paris', 'LOC')
        """
        return cast("list[Entity]", await self._run("token-classification", {"text": text}, parameters))

    @named_parameters
    async def fill_mask(
        self: EndpointCalls, text: str, **parameters: Unpack[FillMaskParameters]
    ) -> list[MaskCandidate]:
        """Fill the mask in a text: candidates, best first.

        >>> candidates = await client.fill_mask("It [MASK].")
        >>> candidates[0].token_str
        'rains'
        """
        return cast("list[MaskCandidate]", await self._run("fill-mask", {"text": text}, parameters))

    @named_parameters
    async def question_answering(
        self: EndpointCalls, question: str, context: str, **parameters: Unpack[QuestionAnsweringParameters]
    ) -> Answer | list[Answer]:
        """Find the part of the context that answers the question. A list of answers with a `top_k` above 1.

        >>> found = await client.question_answering("Where do I live?", context="I live in Paris.")
        >>> found["answer"]
        'Paris'
        """
        pair = {"question": question, "context": context}
        answers = cast("list[Answer]", await self._run("question-answering", pair, parameters))
        return answers[0] if len(answers) == 1 else answers

    @named_parameters
    async def table_question_answering(
        self: EndpointCalls,
        table: Mapping[str, Any],
        query: str,
        **parameters: Unpack[TableQuestionAnsweringParameters],
    ) -> TableAnswer:
        """Find the cells of a table that answer the query. The table has each column by its name.

        >>> found = await client.table_question_answering({"answers": ["42"]}, "Which answer?")
        >>> found.cells
        ['42']
        """
        question = {"query": query, "table": table}
        return cast("TableAnswer", await self._run("table-question-answering", question, parameters))

    @named_parameters
    async def tabular_classification(
        self: EndpointCalls, table: Mapping[str, Any], **parameters: Unpack[CallParameters]
    ) -> list[str]:
        """Classify the rows of a table, which has each column by its name: a class for each row.

        >>> await client.tabular_classification({"length": [5.1, 6.2], "width": [3.5, 2.9]})
        ['setosa', 'versicolor']
        """
        return cast("list[str]", await self._run("tabular-classification", {"table": table}, parameters))

    @named_parameters
    async def summarization(
        self: EndpointCalls, text: str, **parameters: Unpack[SummarizationParameters]
    ) -> SummarizationOutput:
        """Summarize a text.

        >>> summary = await client.summarization("Water falls from the sky, and has done so all day.")
        >>> summary.summary_text
        'It rains.'
        """
        return SummarizationOutput(await self._run("summarization", {"text": text}, parameters))

    @named_parameters
    async def translation(
        self: EndpointCalls, text: str, **parameters: Unpack[TranslationParameters]
    ) -> TranslationOutput:
        """Translate a text. Raises `BadRequest` for one language without the other.

        >>> translation = await client.translation("It rains.", src_lang="en", tgt_lang="de")
        >>> translation.translation_text
        'Es regnet.'
        """
        if (parameters.get("src_lang") is None) != (parameters.get("tgt_lang") is None):
            raise BadRequest("src_lang and tgt_lang belong together. Nothing was sent.", hint="Give both, or neither.")
        return TranslationOutput(await self._run("translation", {"text": text}, parameters))


def _listed(texts: Sequence[str], name: str) -> list[str]:
    """The texts as a list. Raises `BadRequest` for anything but a list: of one text it would be the characters."""
    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise BadRequest(f"{name} is not a list of texts. Nothing was sent.", hint='Valid is for example ["a", "b"].')
    return list(texts)
