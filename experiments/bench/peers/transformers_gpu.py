"""A language model of Qwen2.5-0.5B's shape with random weights in Hugging Face's transformers, in bfloat16 with PyTorch's attention:
weights, gradients and AdamW's moments too, which is the least that it can do with. Prints one JSON line.

What is measured is named first: one of
  card       copies in memory (bytes read and written) in GB/s, and products of bfloat16 matrices in TFLOP/s
  decode     tokens/s of generate(), drawn at temperature 1, to the same length in every row
  log-probs  ms that the log-probabilities of given tokens take
  train      ms of a step: forward, backward, gradients clipped, AdamW; with the blocks' values kept, and computed again
  rloo       seconds of a step: completions of some prompts, their log-probabilities by the model and by a frozen one, the loss with
             leave-one-out advantages and the KL (k3), backward, AdamW; its parts, and the most memory that was held
or "all" (the default), each under its name. `values` are the repetitions behind a warm-up. `--help` names the sizes."""

import argparse
import contextlib
import statistics
import time

import torch
import torch.nn.functional as F
from repetitions import answer

GIB = 2**30


class Clock:
    """Seconds until the device has done what it was asked for."""

    def __init__(self, device):
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None
        self.restart()

    def restart(self):
        self.wait()
        self.began = time.perf_counter()

    def seconds(self):
        """Since the last time that it was asked, or restarted."""
        began = self.began
        self.restart()
        return self.began - began


def timed(work, sizes, times=1):
    """Seconds of work(), once for each repetition, behind the warm-ups; of short work as many `times` more."""
    clock = Clock(sizes.device)
    seconds = []
    for repetition in range(times * (sizes.warmups + sizes.repetitions)):
        clock.restart()
        work()
        if repetition >= times * sizes.warmups:
            seconds.append(clock.seconds())
    return seconds


def milliseconds(seconds):
    return [round(1000 * each, 3) for each in seconds]


def card(sizes):
    size = sizes.copy_mib * 2**18
    source, target = (torch.empty(size, dtype=torch.float32, device=sizes.device).normal_() for _ in range(2))
    copies = [2 * 4 * size / each / 1e9 for each in timed(lambda: target.copy_(source), sizes, 5)]
    del source, target
    n = sizes.matrix
    a, b = (torch.randn(n, n, device=sizes.device).to(torch.bfloat16) for _ in range(2))
    products = [2 * n**3 / each / 1e12 for each in timed(lambda: a @ b, sizes, 5)]
    return {
        "values": products,
        "name": torch.cuda.get_device_name() if sizes.device == "cuda" else "the processor",
        "copyGBps": round(statistics.median(copies), 1),
        "bfloat16Tflops": round(statistics.median(products), 3),
    }


def language_model(sizes):
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=sizes.vocabulary,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.intermediate,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.key_heads,
        max_position_embeddings=32_768,
        rms_norm_eps=1e-6,
        tie_word_embeddings=True,
    )
    # On the device from the beginning, where PyTorch can: the processor takes longer to draw the weights than a step takes.
    device = torch.device(sizes.device)
    with device if hasattr(device, "__enter__") else contextlib.nullcontext():
        model = Qwen2ForCausalLM(config)
    attention = getattr(model.config, "_attn_implementation", None)
    if attention != "sdpa":
        raise ValueError(f"the model has {attention}, not PyTorch's attention")
    return model.to(device=device, dtype=torch.bfloat16)


def tokens(sizes, rows, length):
    return torch.randint(sizes.vocabulary, (rows, length), device=sizes.device)


@torch.no_grad()
def completed(model, prompts, new_tokens, sizes):
    """The prompts with as many tokens more, whatever they are."""
    model.eval()
    cache = {} if sizes.cache == "dynamic" else {"cache_implementation": sizes.cache}
    return model.generate(
        input_ids=prompts,
        attention_mask=torch.ones_like(prompts),
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        min_new_tokens=new_tokens,
        max_new_tokens=new_tokens,
        pad_token_id=0,
        use_cache=True,
        **cache,
    )


def log_probs(model, ids, count):
    """[rows, count] of each row's last tokens."""
    logits = model(input_ids=ids, logits_to_keep=count + 1, use_cache=False).logits[:, -count - 1 : -1]
    return -F.cross_entropy(logits.float().flatten(0, 1), ids[:, -count:].flatten(), reduction="none").view(-1, count)


def adamw(model, sizes):
    fused = {"fused": True} if sizes.device == "cuda" else {}
    return torch.optim.AdamW(model.parameters(), lr=1e-6, weight_decay=0.01, **fused)


def stepped(model, adam):
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    adam.step()
    adam.zero_grad(set_to_none=True)


def decode(sizes):
    model = language_model(sizes)
    prompts = tokens(sizes, sizes.batch, sizes.prompt)
    shape = completed(model, prompts, sizes.new_tokens, sizes).shape
    if shape[1] != sizes.prompt + sizes.new_tokens:
        raise ValueError(f"generate() ended after {shape[1] - sizes.prompt} tokens of {sizes.new_tokens}")
    first = statistics.median(timed(lambda: completed(model, prompts, 1, sizes), sizes))
    seconds = timed(lambda: completed(model, prompts, sizes.new_tokens, sizes), sizes)
    whole = statistics.median(seconds)
    return {
        "values": [sizes.batch * sizes.new_tokens / each for each in seconds],
        "msPerStep": round(1000 * (whole - first) / max(1, sizes.new_tokens - 1), 3),
        "promptAndFirstTokenMs": round(1000 * first, 3),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def scoring(sizes):
    model = language_model(sizes).eval()
    ids = tokens(sizes, sizes.rows, sizes.length)
    with torch.no_grad():
        seconds = timed(lambda: log_probs(model, ids, sizes.length - 1), sizes, 3)
    return {"values": milliseconds(seconds), "tokens": ids.numel()}


def train(sizes):
    model = language_model(sizes).train()
    adam = adamw(model, sizes)
    ids = tokens(sizes, sizes.rows, sizes.length)

    def step():
        (-log_probs(model, ids, sizes.length - 1).mean()).backward()
        stepped(model, adam)

    kept, kept_memory = milliseconds(timed(step, sizes, 2)), peak(sizes)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    again, again_memory = milliseconds(timed(step, sizes, 2)), peak(sizes)
    return {
        "values": kept,
        "tokens": ids.numel(),
        "ms": statistics.median(kept),
        "checkpointedMs": statistics.median(again),
        **({} if kept_memory is None else {"peakGiB": kept_memory, "checkpointedPeakGiB": again_memory}),
    }


def peak(sizes):
    """The most GiB that tensors took since the last time that it was asked for."""
    if sizes.device != "cuda":
        return None
    most = torch.cuda.max_memory_allocated() / GIB
    torch.cuda.reset_peak_memory_stats()
    return round(most, 2)


def rloo(sizes):
    model, reference = language_model(sizes), language_model(sizes).eval().requires_grad_(False)
    if sizes.checkpointed:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    adam = adamw(model, sizes)
    groups, k, count = sizes.groups, sizes.group, sizes.new_tokens
    parts = []

    def step():
        clock = Clock(sizes.device)
        spent = {}

        def ends(part):
            spent[part] = spent.get(part, 0) + clock.seconds()

        prompts = tokens(sizes, groups, sizes.prompt).repeat_interleave(k, 0)
        ids = completed(model, prompts, count, sizes)
        ends("generation")
        # Any that differ do: what is measured does not depend on them.
        rewards = (ids[:, -count:] % 2).float().mean(1).view(groups, k)
        advantages = (rewards - (rewards.sum(1, keepdim=True) - rewards) / (k - 1)).flatten()
        chunks = range(0, groups * k, sizes.rows)
        with torch.no_grad():
            frozen = torch.cat([log_probs(reference, ids[at : at + sizes.rows], count) for at in chunks])
        ends("referenceLogProbs")
        model.train()
        for at in chunks:
            rows = slice(at, at + sizes.rows)
            own = log_probs(model, ids[rows], count)
            ends("policyLogProbs")
            apart = frozen[rows] - own
            kl = (apart.exp() - apart - 1).mean(1)
            loss = (sizes.kl * kl - advantages[rows] * own.sum(1)).sum() / (groups * k)
            ends("loss")
            loss.backward()
            ends("backward")
        stepped(model, adam)
        ends("adamw")
        parts.append(spent)

    peak(sizes)
    seconds = timed(step, sizes)
    memory = peak(sizes)
    counted = parts[sizes.warmups :]
    return {
        "values": [round(each, 4) for each in seconds],
        "parts": {part: round(statistics.median(each[part] for each in counted), 4) for part in counted[0]},
        "generatedTokensPerSecond": round(
            groups * k * count / statistics.median(each["generation"] for each in counted)
        ),
        **({} if memory is None else {"peakGiB": memory}),
    }


WORK = {"card": card, "decode": decode, "log-probs": scoring, "train": train, "rloo": rloo}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", nargs="?", default="all", choices=["all", *WORK])
    for name, number, what in [
        ("batch", 64, "decode: rows"),
        ("prompt", 256, "tokens of a prompt"),
        ("new-tokens", 512, "tokens of a completion"),
        ("rows", 32, "log-probs, train: sequences; rloo: sequences at once"),
        ("length", 512, "log-probs, train: tokens of a sequence"),
        ("groups", 8, "rloo: prompts"),
        ("group", 16, "rloo: completions of each"),
        ("warmups", 1, "of each that do not count"),
        ("repetitions", 3, "of each that count"),
        ("hidden", 896, "the model's"),
        ("intermediate", 4864, "the model's"),
        ("layers", 24, "the model's"),
        ("heads", 14, "the model's"),
        ("key-heads", 2, "the model's"),
        ("vocabulary", 151_936, "the model's"),
        ("copy-mib", 4096, "card: what is copied"),
        ("matrix", 8192, "card: rows and columns"),
    ]:
        parser.add_argument(f"--{name}", type=int, default=number, help=f"{what} (default {number})")
    parser.add_argument("--kl", type=float, default=0.05, help="rloo: weight of the KL")
    parser.add_argument("--checkpointed", action="store_true", help="rloo: the blocks' values are computed again")
    parser.add_argument("--cache", default="dynamic", help='generate()\'s: "dynamic" (default) or "static"')
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def measured(name, sizes):
    """An error is an answer too: the others are still measured."""
    try:
        return WORK[name](sizes)
    except Exception as error:  # noqa: BLE001
        return {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}
    finally:
        if sizes.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def version():
    try:
        import transformers

        return transformers.__version__
    except ImportError:
        return None


if __name__ == "__main__":
    sizes = arguments()
    if sizes.work == "all":
        found = {name: measured(name, sizes) for name in WORK}
    else:
        found = measured(sizes.work, sizes)
    answer(found, device=sizes.device, torch=torch.__version__, transformers=version())
    if "error" in found:
        # Standard error's last line is what peers.ts tells of a peer that failed.
        raise SystemExit(found["error"])
