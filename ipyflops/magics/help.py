"""What ``%flops?`` says, the list of options made from their table."""

from __future__ import annotations

from ipyflops.magics.options import OPTIONS, Option

_TEXT = """\
Count the floating point operations of PyTorch code: by module, by operator, by source line.

::

    %flops [options] expression-or-statement
    %flops [options]             shows the last report again

    %%flops [options]
    code

The code runs once, as it would without the magic: variables stay, the last expression is the
result, a semicolon at the end hides it, and an error is raised as it is. Every operator that the
code runs passes through PyTorch's dispatcher, and is counted there; no model is changed.

Options::

{options}

Options stand in front; all that follows them is code, dashes included. Code that itself begins
with a dash goes behind --, a value with spaces in quotes. A value may name variables, as in
IPython's own magics: --save $path, --per {{batch * length}}:token; the code stays as it is. Of a
cell that fails, the report is shown, stored and saved as well, and says that it is incomplete. The
NAME of -v must be none that the code uses. A semicolon at the end of the code silences the value,
also the Report of -o: r = %flops -o f(x); gives None.

Conventions::

    standard      every floating point operation that ran: a multiply-accumulate (MAC) of matrix
                  products, convolutions and attention is 2 FLOPs, and all else is 1 FLOP for each
                  addition, multiplication, division, comparison or transcendental function
                  (pooling, softmax, tanh and sigmoid cost what article says)
    contractions  only matrix products, convolutions and attention, at 2 FLOPs per MAC
    article       the layer formulas of the article "Flops Model"; what it does not name costs
                  what standard says

FLOPs are a count, FLOPS are FLOPs per second; 1 MAC = 2 FLOPs. Integer operations are counted
apart; a MAC of integers, as in a quantized layer, is 2 of them. The seconds are those inside the
kernels in the one counted run.

With -t the code then runs again: once to check that it does the same FLOPs, once to warm up, and
as often as the clock needs, with nothing intercepted. What it prints and shows then is dropped,
and what other threads print is not; figures, and widgets that no variable holds, are closed. What
it changes moves on, and the report says so; --restore puts modules, optimizers, tensors, variables
and random numbers that the code names back to where the counted run left them.

With --fake nothing is computed: the code sees copies of the variables that it uses, with tensors
that have a shape, strides, a dtype and a device, but neither values nor memory. So any size fits,
no variable, parameter, gradient, optimizer or random number changes, and what the code assigns is
gone afterwards. A model may be built in the code itself, or before on torch.device("meta"). Where
the code needs a value (an if, a size, a mask as an index) it fails, and the error says where.
With --fake cuda the code finds a CUDA device, also where there is none: model.to("cuda") counts the
operators that PyTorch would run there. Code that begins with this word goes behind --.

With --on the report is set against data sheets: the least time of each module and operator on that
device, by FLOPs and bytes, and what bounds it; with H100@0.4 at 40 % of its peaks. That goes for a
dry run too. A name may also be that of a variable that holds an ipyflops.Device. With --per it says
tokens a second, and device hours for a thousand million of them.

With --ranks the code runs on every engine of an ipyparallel cluster, on that view which %px would
use, and the report is of all of them: totals, each rank, how evenly the work is spread, what is
replicated, what is communicated. An engine that fails, dies or is not done by --timeout is named.

A %%px cell with %%flops inside, or %px %flops f(x), shows such a report as well, once the engines
are through: load ipyflops here and, with %%px %load_ext ipyflops, there. Of the inner line's
options, those about the Report are for the merged one, here (-v NAME also gives each engine its
own); the rest are the engines'. With -t each engine shows its own report too, for clean repeats
are not merged. With --noblock nothing is merged by itself: the engines show their own reports,
and a plain %flops --ranks, later on, merges what they have counted last.

With --memory the report says, too, what holds memory: the most bytes of tensors that were live at
once on each device, where that was, and what they were for (parameters, gradients, optimizer
state, activations that are saved for the backward, temporaries, inputs). A tensor's memory is that
of its storage, which views share. With --fake --memory a step is asked before anything is run.

With --columns the tables have more columns: shapes (input, output and kernel of each module in its
first call; "varies" where later calls differ), params (how many parameters, trainable and frozen),
activations (elements of the outputs of convolutions, linear layers and matrix products: the MActs
of papers), macs, time_share, flops_per_call and the others of ipyflops.costs.METRICS.

Examples
--------
::

    %flops model(x)                              count an expression
    r = %flops -q -o model(x)                    its Report, and nothing shown
    %flops -c article -d 3 model(x)              by the article's formulas, three levels open
    %flops --by lines                            the last report again, by source line

    %%flops -v base --save base.json             a training step, its Report kept twice
    loss = model(x).sum()
    loss.backward()

    %flops --against base smaller(x)             what has changed since then
    %flops --per 128:token model(tokens)         FLOPs per token too
    %flops -t --peak model(x)                    clean FLOPS, as a share of what this device can do
    %flops --columns shapes,params model(x)      input, output and kernel; trainable parameters
    %flops --fake huge(tokens)                   a dry run, of a model that fits in no memory
    %flops --fake --memory step()                will it fit?
    %flops --fake cuda huge.cuda()(tokens.cuda())   the same, as on a GPU that is not there

    %flops --fake --on "A100,H100@0.4" step()    the time on devices that one lacks

    %config FlopsMagics.convention = "article"   the default from now on
    %config FlopsMagics                          all defaults

In Python: ``ipyflops.last()`` is the last Report, and ``with ipyflops.FlopCounter() as counter:``
counts a block, where a cell must not be a magic, as with ``await`` in a notebook.
``ipyflops.dry_run(function, ...)`` is what --fake does.
"""
#: The column at which an option's description begins, and where a line of it ends.
_COLUMN = 34


def _entry(option: Option) -> str:
    written = ", ".join(option.flags)
    if option.kind == "device":
        written += f" [{'|'.join(option.choices)}]"
    elif option.choices:
        written += f" {'|'.join(option.choices)}"
    elif option.takes_value:
        written += f" {option.value}"
    written = f"    {written}"
    if len(written) < _COLUMN - 1:
        return written.ljust(_COLUMN) + option.help
    return f"{written}\n{' ' * _COLUMN}{option.help}"


HELP = _TEXT.format(options="\n".join(_entry(option) for option in OPTIONS))
