"""A case set is answered: look in the store, cut into blocks, ask the server, record."""

from __future__ import annotations

import hashlib
import math
import time
from concurrent.futures import wait
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import Timeout

from pytest_llmval.case_sets.case import Case, CaseSet, content_hash
from pytest_llmval.case_sets.message import as_text
from pytest_llmval.errors import CapabilityMissing, NotRecorded
from pytest_llmval.records.record import Record, record_key
from pytest_llmval.records.response_set import ResponseSet, conditions_of
from pytest_llmval.records.store import Place
from pytest_llmval.run import now
from pytest_llmval.servers.daemons import cancel_all, start_calls
from pytest_llmval.servers.exchange import Request, Response, count_flaws, spent_on
from pytest_llmval.servers.wire import request_to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llmval.records.recalling import Recalled
    from pytest_llmval.records.response_set import Conditions
    from pytest_llmval.run import Run
    from pytest_llmval.settings import ModelSettings, Settings

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Block:
    """Cases that are answered together: the same ones in every run and under any scheduling."""

    key: str
    """Names the block within the run: version and records."""
    index_key: str
    """Names the block across runs: the records alone, whatever the version is called."""
    case_set: CaseSet
    model: ModelSettings
    cases: tuple[Case, ...]
    requests: tuple[Request, ...]
    record_keys: tuple[str, ...]
    trial: int


def plan_blocks(run: Run, case_set: CaseSet, model: ModelSettings) -> list[Block]:
    """All blocks of a case set: file order, `block` cases each, first all cases of trial 0, then of trial 1, ….

    Neither the selection of tests nor the number of workers has a part in it, hence the same batches always. But a
    remote server, which computes request by request and may be paid by the answer, is asked for selected cases alone.
    """
    return _planned(run, case_set, model, range(trials_of(case_set, run.settings)))


def _planned(run: Run, case_set: CaseSet, model: ModelSettings, trials: Iterable[int]) -> list[Block]:
    return [block for trial in trials for block in _plan_of_trial(run, case_set, model, trial)]


def _plan_of_trial(run: Run, case_set: CaseSet, model: ModelSettings, trial: int) -> list[Block]:
    name = (id(case_set), model.name, trial)
    if name not in run.plans:
        size = run.settings.config.block
        members = [case_set[start : start + size] for start in range(0, len(case_set), size)]
        if model.is_asked:
            members = _only_needed(members, run.selected(case_set))
        run.plans[name] = [_block(run, case_set, model, each, trial) for each in members]
    return run.plans[name]


def _only_needed(members: list[tuple[Case, ...]], needed: set[str] | None) -> list[tuple[Case, ...]]:
    """The same blocks with those cases alone that some selected test needs; some blocks may be left empty."""
    if needed is None:
        return members
    return [tuple(case for case in each if case.id in needed) for each in members]


def trials_of(case_set: CaseSet, settings: Settings) -> int:
    """How often each case is asked: as the case set says, else as `--llmval-trials` does."""
    return case_set.trials or settings.trials


def _block(run: Run, case_set: CaseSet, model: ModelSettings, members: tuple[Case, ...], trial: int) -> Block:
    digest = run.fingerprint(model).digest
    requests = tuple(_request(case, case_set, run.settings.seed, trial) for case in members)
    keys = tuple(record_key(digest, request, case.id, trial) for case, request in zip(members, requests, strict=True))
    key, index_key = content_hash([model.name, keys])[:32], content_hash(keys)[:32]
    return Block(key, index_key, case_set, model, members, requests, keys, trial)


def _request(case: Case, case_set: CaseSet, seed: int, trial: int) -> Request:
    return Request(case.prompt, case.choices, case_set.decoding, seed=request_seed(seed, case.id, trial))


def request_seed(seed: int, case_id: str, trial: int) -> int:
    """The seed of one trial: it depends on the run's seed, the case and the trial, and on nothing else.

    >>> request_seed(0, "a", 0) == request_seed(0, "a", 1)
    False
    """
    digest = hashlib.sha256(f"{seed}/{case_id}/{trial}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big")


def ask_all(run: Run, case_set: CaseSet, model: ModelSettings) -> ResponseSet:
    """The answers of a version to a whole case set."""
    run.note({"event": "whole_set", "version": model.name, "case_set": asked_as(case_set)})
    if model.is_recorded:
        return _recall_all(run, case_set, model)
    blocks = plan_blocks(run, case_set, model)
    _note_case_set(run, case_set, model, range(trials_of(case_set, run.settings)))
    by_case: dict[str, list[Response]] = {case.id: [] for case in case_set}
    for block, records in zip(blocks, _answered(run, blocks), strict=True):
        for case, record in zip(block.cases, records, strict=True):
            by_case[case.id].append(record.answer)
    responses = tuple(_attach(case, by_case[case.id]) for case in case_set)
    return ResponseSet(case_set, responses, model.name, _conditions(run, case_set), run.fingerprint(model).facts)


def _conditions(run: Run, case_set: CaseSet) -> Conditions:
    return conditions_of(case_set, f"blocks of {run.settings.config.block}")


def ask_one(run: Run, case_set: CaseSet, case: Case, model: ModelSettings, trial: int | None = None) -> Response:
    """The answer of a version to one case. Its whole block is computed with it, so that the numbers are the same.

    With `trial` it is the answer of that trial alone, also beyond those that the case set plans.
    """
    if model.is_recorded:
        return _recall_one(run, case_set, case, model, trial)
    number = case_set.positions[case.id] // run.settings.config.block
    wanted = range(trials_of(case_set, run.settings)) if trial is None else (trial,)
    _note_case_set(run, case_set, model, wanted)
    blocks = [_plan_of_trial(run, case_set, model, each)[number] for each in wanted]
    place = blocks[0].cases.index(case)
    trials = [records[place].answer for records in _answered(run, blocks)]
    if not model.is_asked:  # of which no more was asked
        run.note({"event": "needed", "version": model.name, "case_set": asked_as(case_set), "case": case.id})
    return _attach(case, trials)


def ask_recorded(run: Run, model: ModelSettings, requests: Sequence[Request]) -> list[Response]:
    """The answers to single requests: recorded ones of the same weights, and measured ones, alone in their batches.

    An answer thus depends neither on what else is asked nor on what was asked before.
    """
    run.store.open()
    blocks = [_block_of_one(run, model, request) for request in requests]
    different = {block.key: block for block in blocks if block.key not in run.blocks}
    return [records[0].answer for records in _settled_records(run, blocks, list(different.values()))]


def _block_of_one(run: Run, model: ModelSettings, request: Request) -> Block:
    name = content_hash(request_to_json(request))[:12]
    case = Case(name, {}, request.prompt, choices=request.choices, source=f"a test: {as_text(request.prompt)[-60:]!r}")
    key = record_key(run.fingerprint(model).digest, request, case.id, 0)
    names = content_hash([model.name, key])[:32], content_hash([key])[:32]
    case_set = CaseSet("", (case,), content_hash(""), request.decoding)
    return Block(*names, case_set, model, (case,), (request,), (key,), 0)


def asked_as(case_set: CaseSet) -> str:
    """Data and prompt: two case sets may ask the same cases in other words. Empty for what a test asked itself."""
    return f"{case_set.label} {case_set.prompt_label}" if case_set.name else ""


def _attach(case: Case, trials: list[Response]) -> Response:
    attached = tuple(trial.with_case(case, ()) for trial in trials)
    return attached[0].with_case(case, attached)


def _recall_all(run: Run, case_set: CaseSet, model: ModelSettings) -> ResponseSet:
    """The answers of a recorded baseline, as they were given; nothing is asked, and cases may be missing."""
    recalled = _recall(run, case_set, model)
    responses = recalled.responses(trials_of(case_set, run.settings))
    answers = {each.case.id: range(len(each.trials)) for each in responses if each.case and each.error is None}
    run.note_once(f"recalled:{id(case_set)}", lambda: _recalled_event(case_set, model, answers))
    return ResponseSet(case_set, responses, model.name, recalled.conditions, run.fingerprint(model).facts)


def _recall_one(run: Run, case_set: CaseSet, case: Case, model: ModelSettings, trial: int | None) -> Response:
    recalled = _recall(run, case_set, model)
    asked = trials_of(case_set, run.settings) if trial is None else trial + 1
    response = recalled.response(case, asked)
    if trial is not None:
        response = _only(response, trial)
    obstacles = recalled.obstacles(_conditions(run, case_set), run.settings.vary)
    if response is None or obstacles:
        reason = "; ".join(obstacles) if response else "none was recorded to this question"
        msg = f"the recorded baseline {model.name!r} has no answer to case {case.id!r} as it is asked now: {reason}"
        raise CapabilityMissing(msg)
    trials = range(len(response.trials)) if trial is None else (trial,)
    run.note(_recalled_event(case_set, model, {case.id: trials}))
    return response


def _only(response: Response | None, trial: int) -> Response | None:
    """One trial of a case, None when it has fewer."""
    chosen = response.trials[trial : trial + 1] if response else ()
    return replace(chosen[0], trials=chosen) if chosen else None


def _recall(run: Run, case_set: CaseSet, model: ModelSettings) -> Recalled:
    _note_dataset(run, case_set)
    return run.recollection(model).recall(case_set, _conditions(run, case_set))


def _recalled_event(case_set: CaseSet, model: ModelSettings, answers: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Cases with the trials taken of each: who counts the answers is told of one more than once."""
    asked = f"{case_set.label} {case_set.prompt_label} {case_set.decoding}"
    taken = {case_id: list(trials) for case_id, trials in answers.items()}
    return {"event": "recalled", "version": model.name, "case_set": asked, "answers": taken}


def _answered(run: Run, blocks: list[Block]) -> list[list[Record]]:
    """The records of each block. A block that another process computes is left for later, then waited for."""
    waiting = [block for block in blocks if block.key not in run.blocks]
    if waiting:
        _note_dataset(run, waiting[0].case_set)
    return _settled_records(run, blocks, waiting)


def _settled_records(run: Run, blocks: list[Block], waiting: list[Block]) -> list[list[Record]]:
    while waiting:
        busy = [block for block, settled in _settled(run, waiting) if not settled]
        if len(busy) == len(waiting):
            time.sleep(POLL_SECONDS)
        waiting = busy
        _tell(run, blocks, len(waiting))
    return [run.blocks[block.key] for block in blocks]


def _settled(run: Run, blocks: list[Block]) -> Iterator[tuple[Block, bool]]:
    """Each block, and whether it is settled now. A remote server works on several, so that it is never left idle."""
    model = blocks[0].model
    at_once = 1 + math.ceil(model.concurrency / run.settings.config.block) if model.is_asked else 1
    if at_once == 1 or len(blocks) == 1:
        yield from ((block, _settle(run, block)) for block in blocks)
        return
    run.server(model)  # opened before threads share it
    futures = start_calls([partial(_settle, run, block) for block in blocks], at_once, "llmval-block")
    try:
        yield from ((block, future.result()) for block, future in zip(blocks, futures, strict=True))
    except Exception:  # the blocks under way are waited for: what they note belongs to this test
        cancel_all(futures)
        wait(futures)
        raise
    except BaseException:  # Ctrl-C: threads do not see it, but find no server any more
        cancel_all(futures)
        run.close()
        raise


def _note_case_set(run: Run, case_set: CaseSet, model: ModelSettings, trials: Sequence[int]) -> None:
    """Say which blocks hold the answers to a case set, in its order; what is recorded by block is found by it."""
    run.note_once(
        f"case_set:{model.name}:{id(case_set)}:{trials[0]}:{len(trials)}",
        lambda: {
            "event": "case_set",
            "version": model.name,
            "conditions": asdict(_conditions(run, case_set)),
            "cases": len(case_set),
            "blocks": [block.key for block in _planned(run, case_set, model, trials)],
        },
    )


def _note_dataset(run: Run, case_set: CaseSet) -> None:
    run.store.open()
    run.note_once(
        f"dataset:{case_set.label}:{case_set.prompt_hash}:{case_set.decoding}",
        lambda: {
            "event": "dataset",
            "name": case_set.name,
            "sha256": case_set.dataset_hash,
            "cases": len(case_set),
            "prompt": case_set.prompt_hash,
            "decoding": str(case_set.decoding),
            "trials": trials_of(case_set, run.settings),
        },
    )


def _tell(run: Run, blocks: list[Block], waiting: int) -> None:
    total = sum(len(block.cases) for block in blocks)
    done = round(total * (len(blocks) - waiting) / len(blocks))
    run.progress(f"{blocks[0].model.name}: {blocks[0].case_set.name}", done, total)


def _settle(run: Run, block: Block) -> bool:
    """Read or compute a block; False when another process is at it."""
    committed = run.store.read_block(run.id, block.key)
    if committed is None:
        try:
            with run.store.lock(run.id, block.key).acquire(timeout=0):
                committed = run.store.read_block(run.id, block.key) or _obtain(run, block)
        except Timeout:
            return False
    run.blocks[block.key] = committed
    _note_answers(run, block, committed)
    return True


def _note_answers(run: Run, block: Block, records: list[Record]) -> None:
    """Say what a block holds. Each process that reads it does, since the one that asked may not live to tell."""
    run.note(
        {
            "event": "asked",
            "version": block.model.name,
            "case_set": block.case_set.label,
            "asked_as": asked_as(block.case_set),
            "block": block.key,
            "requests": len(records),
            "replayed": all(each.response.replayed for each in records),
            **count_flaws(each.response for each in records),
            **spent_on(each.response for each in records),
        }
    )


def _obtain(run: Run, block: Block) -> list[Record]:
    """Take a block over from an earlier run, else measure it; either way commit it."""
    return _recorded(run, block) or _measured(run, block)


def _recorded(run: Run, block: Block) -> list[Record] | None:
    """The block as an earlier run measured it, None when none did."""
    source = run.store.find_block(block.index_key)
    if source is None or source.run_id == run.id:
        return None
    return run.store.copy_block(source, Place(run.id, block.key), block.model.name, block.record_keys)


def _measured(run: Run, block: Block) -> list[Record]:
    records = _measure(run, block)
    run.store.write_block(run.id, block.key, records)
    if run.fingerprint(block.model).is_local and not any(each.response.error for each in records):
        run.store.index_block(block.index_key, run.id, block.key)
    return records


def _measure(run: Run, block: Block) -> list[Record]:
    if run.settings.offline:
        asked = f"to {block.case_set.label} as it is now" if block.case_set.name else f"to {block.cases[0]!r}"
        msg = f"--llmval-offline: {block.model.name} has no recorded answers {asked}"
        if block.model.is_asked:
            msg += "; answers of a server are taken over from no run: `llmval bless` makes a baseline of them"
        raise NotRecorded(msg)
    server = run.server(block.model)
    responses = server.answer(block.requests)
    if block.model.is_started:
        _note_deaths(run, block.model, server.location().deaths)
    return [_record(run, block, index, response) for index, response in enumerate(responses)]


def _note_deaths(run: Run, model: ModelSettings, statuses: tuple[int | None, ...]) -> None:
    """Say that the server died and was started anew: whoever reads the verdict should know."""
    if statuses:
        event = {"event": "death", "version": model.name, "statuses": list(statuses)}
        run.note_once(f"death:{model.name}:{len(statuses)}", lambda: event)


def _record(run: Run, block: Block, index: int, response: Response) -> Record:
    return Record(
        key=block.record_keys[index],
        version=block.model.name,
        fingerprint=run.fingerprint(block.model).digest,
        case_set=block.case_set.label,
        case_id=block.cases[index].id,
        trial=block.trial,
        request=block.requests[index],
        response=response,
        recorded_at=now(),
        run_id=run.id,
        replayed_from=Path(block.model.answers or "").name if block.model.is_log else None,
    )
