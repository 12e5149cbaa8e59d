"""Reports made by hand, of every kind that a view has to cope with."""

from __future__ import annotations

from functools import cache

from ipyflops.costs import Cost
from ipyflops.report import Line, Phase, Report, Row, Scope, ScopeKind, Signature, VerdictName

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\"double\" 'single' & &amp; </details></div>",
    "[bold]markup[/bold] :smile:",
    "two\nlines\r\x00",
    "right\u202eleft",
    "lone \ud800 surrogate",
    "",
    "層🙂" * 30,
    "x" * 500,
)


class Builder:
    """Adds places, lines and operator calls one at a time."""

    def __init__(self) -> None:
        self.scopes = [Scope(-1, "", "", "root")]
        self.lines: list[Line] = []
        self.signatures: dict[Signature, int] = {}
        self.rows: list[Row] = []

    def scope(
        self,
        parent: int,
        name: str,
        type_name: str = "",
        kind: ScopeKind = "module",
        calls: int = 1,
        parameters: int = 0,
    ) -> int:
        self.scopes.append(Scope(parent, name, type_name, kind, calls, parameters))
        return len(self.scopes) - 1

    def line(self, number: int, text: str, file: str = "In[5]") -> int:
        self.lines.append(Line(file, number, text))
        return len(self.lines) - 1

    def run(
        self,
        scope: int,
        operator: str,
        cost: Cost,
        *,
        calls: int = 1,
        microseconds: float = 0,
        moved: int = 0,
        phase: Phase = "forward",
        line: int = -1,
        verdict: VerdictName = "formula",
        dtype: str = "float32",
        shapes: str = "",
    ) -> None:
        signature = Signature(operator, dtype, shapes, verdict, cost, moved)
        index = self.signatures.setdefault(signature, len(self.signatures))
        self.rows.append(Row(scope, line, phase, index, calls, round(microseconds * 1000)))

    def report(self, **fields: object) -> Report:
        return Report(
            tuple(self.scopes),
            tuple(self.lines),
            tuple(self.signatures),
            tuple(self.rows),
            **fields,  # type: ignore[arg-type]
        )


def convolution(
    builder: Builder,
    parent: int,
    name: str,
    channels: tuple[int, int],
    kernel: int,
    size: int,
    line: int,
    training: bool,
) -> None:
    """A convolution of `size`² outputs, in training its backward as well."""
    before, after = channels
    scope = builder.scope(parent, name, "Conv2d", parameters=before * after * kernel**2)
    cost = Cost.of(contraction="2·n·c·k", n=after * size**2, c=before, k=kernel**2)
    moved = 4 * (before * size**2 + after * size**2 + before * after * kernel**2)
    shapes = f"1×{before}×{size}×{size}, {after}×{before}×{kernel}×{kernel}"
    time = cost.macs / 90_000
    builder.run(
        scope, "aten::convolution", cost, line=line, microseconds=time, moved=moved, shapes=shapes
    )
    if training:
        backward = Cost.of(contraction="4·n·c·k", n=after * size**2, c=before, k=kernel**2)
        builder.run(
            scope,
            "aten::convolution_backward",
            backward,
            line=line,
            microseconds=2.3 * time,
            moved=2 * moved,
            shapes=shapes,
            phase="backward",
        )


def pointwise(
    builder: Builder, scope: int, operator: str, elements: int, per_element: int, line: int
) -> None:
    cost = Cost.of(other="a·n", a=per_element, n=elements)
    builder.run(scope, operator, cost, line=line, microseconds=elements / 2000, moved=8 * elements)


def resnet(training: bool = False) -> Report:
    """The shape of a ResNet-50, with numbers of its order of magnitude."""
    builder = Builder()
    line = builder.line(2, "y = model(x)")
    model = builder.scope(0, "model", "ResNet", parameters=25_557_032)
    convolution(builder, model, "conv1", (3, 64), 7, 112, line, training)
    pointwise(
        builder,
        builder.scope(model, "bn1", "BatchNorm2d", parameters=128),
        "aten::native_batch_norm",
        64 * 112**2,
        4,
        line,
    )
    pointwise(builder, builder.scope(model, "relu", "ReLU"), "aten::relu_", 64 * 112**2, 1, line)
    pointwise(
        builder,
        builder.scope(model, "maxpool", "MaxPool2d"),
        "aten::max_pool2d_with_indices",
        64 * 56**2,
        1,
        line,
    )
    channels = 64
    for stage, (blocks, width, size) in enumerate(
        ((3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)), 1
    ):
        layer = builder.scope(
            model, f"layer{stage}", "Sequential", parameters=blocks * 12 * width**2
        )
        for block in range(blocks):
            scope = builder.scope(layer, str(block), "Bottleneck", parameters=17 * width**2)
            convolution(builder, scope, "conv1", (channels, width), 1, size, line, training)
            convolution(builder, scope, "conv2", (width, width), 3, size, line, training)
            convolution(builder, scope, "conv3", (width, 4 * width), 1, size, line, training)
            relu = builder.scope(scope, "relu", "ReLU", calls=3)
            pointwise(builder, relu, "aten::relu_", 6 * width * size**2, 1, line)
            if block == 0:
                downsample = builder.scope(scope, "downsample", "Sequential")
                convolution(
                    builder, downsample, "0", (channels, 4 * width), 1, size, line, training
                )
            pointwise(builder, scope, "aten::add_", 4 * width * size**2, 1, line)
            channels = 4 * width
    pointwise(
        builder, builder.scope(model, "avgpool", "AdaptiveAvgPool2d"), "aten::mean", 2048, 50, line
    )
    fc = builder.scope(model, "fc", "Linear", parameters=2_049_000)
    builder.run(
        fc,
        "aten::addmm",
        Cost.of(contraction="2·m·n·k", m=1, n=1000, k=2048),
        line=line,
        microseconds=190,
        moved=8_212_192,
    )
    if training:
        last = builder.line(3, "loss = F.cross_entropy(y, target)")
        code = builder.scope(0, "In[5]:3", "", "code", calls=0)
        pointwise(builder, code, "aten::_log_softmax", 1000, 5, last)
        step = builder.line(5, "optimizer.step()")
        optimizer = builder.scope(0, "optimizer", "SGD", "optimizer")
        builder.run(
            optimizer,
            "aten::_foreach_add_",
            Cost.of(other="2·n", n=25_557_032),
            phase="optimizer",
            line=step,
            microseconds=9000,
            moved=300_000_000,
        )
    return builder.report()


def transformer(layers: int = 12) -> Report:
    """Alike layers in a container that is never called, two outermost modules, several lines."""
    builder = Builder()
    first = builder.line(1, "h = encoder(tokens)")
    second = builder.line(7, "        return self.head(\tself.norm(x))", file="model.py")
    encoder = builder.scope(0, "encoder", "Encoder", parameters=85_054_464)
    container = builder.scope(encoder, "layers", "ModuleList", calls=0, parameters=85_054_464)
    for layer in range(layers):
        scope = builder.scope(
            container, str(layer), "TransformerEncoderLayer", parameters=7_087_872
        )
        attention = builder.scope(scope, "attn", "MultiheadAttention", parameters=2_362_368)
        cost = Cost.of(contraction="8·n·d²", n=128, d=768)
        builder.run(
            attention,
            "aten::addmm",
            cost,
            calls=4,
            microseconds=4000 + layer,
            line=first,
            moved=9_000_000,
        )
        mlp = builder.scope(scope, "mlp", "Sequential", parameters=4_722_432)
        for name in ("0", "1"):
            linear = builder.scope(mlp, name, "Linear", parameters=2_361_216)
            builder.run(
                linear,
                "aten::addmm",
                Cost.of(contraction="8·n·d²", n=128, d=768),
                microseconds=3000,
                line=first,
                moved=11_000_000,
            )
        pointwise(builder, scope, "aten::add", 2 * 128 * 768, 1, first)
    head = builder.scope(0, "head", "Head", parameters=38_597_376)
    builder.run(
        head,
        "aten::mm",
        Cost.of(contraction="2·m·n·k", m=128, n=50257, k=768),
        line=second,
        microseconds=51_000,
        moved=180_000_000,
    )
    builder.run(
        head,
        "aten::argmax",
        Cost.of(integer="m·n", m=128, n=50257),
        line=second,
        microseconds=900,
        verdict="formula",
        dtype="int64",
    )
    builder.run(
        0, "aten::add", Cost.of(other="n", n=4_000_000), line=-1, microseconds=600, moved=48_000_000
    )
    builder.run(
        head, "aten::copy_", Cost.of(), line=second, microseconds=120, moved=1000, verdict="free"
    )
    return builder.report(notes=("all 12 layers ran on one thread",))


def empty(**fields: object) -> Report:
    return Builder().report(**fields)


def failed() -> Report:
    builder = Builder()
    line = builder.line(1, "y = model(x)")
    model = builder.scope(0, "model", "Net", parameters=10)
    builder.run(
        model,
        "aten::mm",
        Cost.of(contraction="2·m·n·k", m=4, n=5, k=6),
        line=line,
        microseconds=3,
        moved=400,
    )
    return builder.report(
        complete=False, error="RuntimeError: shapes cannot be multiplied\n(4x5 and 6x7)"
    )


def unknown() -> Report:
    builder = Builder()
    line = builder.line(1, "y = mylib.op(x)")
    model = builder.scope(0, "model", "Net")
    builder.run(
        model,
        "aten::mm",
        Cost.of(contraction="2·m·n·k", m=64, n=64, k=64),
        calls=4,
        line=line,
        microseconds=40,
        moved=49_152,
    )
    for index, calls in enumerate((12, 5, 4, 3, 2, 1, 1)):
        name = "mylib::op" if index == 0 else f"mylib::op{index}"
        builder.run(model, name, Cost(), calls=calls, verdict="unknown", line=line, microseconds=7)
    builder.run(
        model, "aten::mm", Cost(), verdict="unknown", shapes="nested", line=line, microseconds=1
    )
    builder.run(model, "aten::clone", Cost(), verdict="free", line=line, microseconds=2, moved=5)
    return builder.report()


def wide(children: int = 3000) -> Report:
    """One module with so many children, no two alike."""
    builder = Builder()
    model = builder.scope(0, "model", "Wide")
    for index in range(children):
        line = builder.line(index + 1, f"x = self.part{index}(x)", "wide.py")
        scope = builder.scope(model, f"part{index}", "Linear", parameters=index)
        builder.run(
            scope,
            "aten::mm",
            Cost.of(contraction="2·n", n=1000 + index),
            line=line,
            microseconds=1 + index % 7,
            moved=64 * (1 + index % 11),
        )
    return builder.report()


def large(stages: int = 100, blocks: int = 50, name: str = "") -> Report:
    """A model of `stages` · (1 + 3 · `blocks`) + 1 modules, no two of them alike."""
    builder = Builder()
    model = builder.scope(0, f"model{name}", f"Large{name}")
    for stage in range(stages):
        outer = builder.scope(model, f"stage{stage}{name}", "Sequential")
        for number in range(blocks):
            line = builder.line(stage * blocks + number + 1, f"y{number} = stage{stage}(x{name})")
            block = builder.scope(outer, f"{number}{name}", f"Block{name}")
            n = 1000 + 7 * number + stage * stage
            for layer, operator in (("linear", "aten::mm"), ("norm", f"ns::norm{number}{name}")):
                scope = builder.scope(block, layer + name, f"Layer{name}", parameters=n)
                cost = Cost.of(contraction="2·n", n=n)
                builder.run(scope, operator, cost, line=line, microseconds=2, moved=9 * n)
    return builder.report()


def deep(levels: int = 1000) -> Report:
    """Each module inside the one before, each with work of its own."""
    builder = Builder()
    scope = 0
    for level in range(levels):
        scope = builder.scope(scope, f"inner{level % 10}", "Box")
        builder.run(scope, "aten::add", Cost.of(other="n", n=1000), microseconds=1, moved=12_000)
    return builder.report()


def hostile() -> Report:
    """Every name that could do harm, as every name that there is."""
    builder = Builder()
    for index, name in enumerate(HOSTILE):
        line = builder.line(index + 1, name, file=f"file {name}")
        scope = builder.scope(0, name, name, parameters=3)
        inner = builder.scope(scope, name, name)
        cost = Cost.of(other="n", n=1000 + index)
        builder.run(inner, f"ns::{name}", cost, line=line, microseconds=3, moved=70)
        builder.run(scope, f"un::{name}", Cost(), verdict="unknown", line=line, microseconds=1)
    return builder.report(complete=False, error=f"ValueError: {''.join(HOSTILE)}", notes=HOSTILE)


def integers() -> Report:
    """No floating point at all, and no kernel time."""
    builder = Builder()
    model = builder.scope(0, "model", "Lookup")
    builder.run(model, "aten::add", Cost.of(integer="n", n=12_345), dtype="int64", moved=8)
    return builder.report()


# Each is made once: a report is frozen, and what it computed it keeps.
ALL = {
    "resnet": cache(resnet),
    "training": cache(lambda: resnet(training=True)),
    "transformer": cache(transformer),
    "empty": cache(empty),
    "failed": cache(failed),
    "unknown": cache(unknown),
    "integers": cache(integers),
    "wide": cache(wide),
    "deep": cache(deep),
    "hostile": cache(hostile),
}
