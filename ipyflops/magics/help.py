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

The code runs once, as it would without the magic. Variables stay, the last expression is the
result, a semicolon at the end hides it, and errors are raised as usual. Every operator that the
code runs passes through PyTorch's dispatcher and is counted there. Your model is not changed.

Options::

{options}

Options come first. Everything after them is code, dashes included. If the code itself begins with
a dash, put -- before it. Put a value with spaces in quotes. A value may use variables, as in
IPython's own magics: --save $path, --per {{batch * length}}:token. The code itself is not expanded.
If a cell fails, the report is still shown, stored and saved, and says that it is incomplete. The
NAME of -v must not be a name that the code uses. A semicolon at the end of the code hides the
value, also the Report of -o: r = %flops -o f(x); gives None.

Conventions::

    standard      every floating point operation that ran: a multiply-accumulate (MAC) of matrix
                  products, convolutions and attention is 2 FLOPs, and all else is 1 FLOP for each
                  addition, multiplication, division, comparison or transcendental function
                  (pooling, softmax, tanh and sigmoid cost what article says)
    contractions  only matrix products, convolutions and attention, at 2 FLOPs per MAC
    article       the layer formulas of the article "Flops Model"; other operators cost what
                  standard says

FLOPs is a count, FLOPS is FLOPs per second; 1 MAC = 2 FLOPs. Integer operations are counted
separately; a MAC of integers, as in a quantized layer, is 2 of them. The seconds are the time
inside the kernels, in the one counted run.

With -t the code runs again after the count, without interception: once to check that it does the
same FLOPs, once to warm up, and then as often as the clock needs. What these runs print and show is
hidden, except output of other threads. Figures are closed, and so are widgets that no variable
holds. The runs change things, such as weights, and the report says so. --restore resets modules,
optimizers, tensors, variables and random numbers that the code names to their state after the
counted run.

With --fake nothing is computed. The code gets copies of the variables that it uses. Their tensors
have a shape, strides, a dtype and a device, but no values and no memory. So any size fits, and no
variable, parameter, gradient, optimizer or random number changes. What the code assigns is gone
afterwards. You can build a model in the code itself, or before on torch.device("meta"). If the code
needs a value (an if, a size, a mask as an index) it fails, and the error says where. With
--fake cuda the code finds a CUDA device, even if there is none: model.to("cuda") counts the
operators that PyTorch runs there. If the code begins with the word cuda, put -- before it.

With --on the report is compared with data sheets: the least time of each module and operator on
that device, by FLOPs and bytes, and what limits it. H100@0.4 means at 40 % of its peaks. This works
for a dry run too. A name may also be a variable that holds an ipyflops.Device. With --per the
report has tokens a second, and device hours for a billion tokens.

With --ranks the code runs on every engine of an ipyparallel cluster, on the view that %px uses. One
report covers all of them: totals, each rank, how evenly the work is spread, what is replicated, and
what is communicated. If an engine fails, dies or is not done by --timeout, the report names it.

A %%px cell with %%flops inside, or %px %flops f(x), also shows such a report when the engines are
done. Load ipyflops here and, with %%px %load_ext ipyflops, on the engines. The options of the inner
line that are about the Report apply to the merged one here (-v NAME also gives each engine its
own). The other options apply on the engines. With -t each engine also shows its own report, because
clean repeats are not merged. With --noblock nothing is merged: the engines show their own reports,
and a plain %flops --ranks, later on, merges what they counted last.

With --memory the report also says what uses memory: the most bytes of tensors that were live at
once on each device, where that was, and what they were for (parameters, gradients, optimizer
state, activations that are saved for the backward, temporaries, inputs). A tensor's memory is that
of its storage, which views share. --fake --memory tells you before you run a step whether it fits.

With --columns the tables have more columns: shapes (input, output and kernel of each module in its
first call; "varies" if later calls differ), params (how many parameters, trainable and frozen),
activations (elements of the outputs of convolutions, linear layers and matrix products: the MActs
of papers), macs, time_share, flops_per_call and the others of ipyflops.costs.METRICS.

Examples
--------
::

    %flops model(x)                              count an expression
    r = %flops -q -o model(x)                    get its Report and show nothing
    %flops -c article -d 3 model(x)              use the article's formulas, open three levels
    %flops --by lines                            show the last report again, by source line

    %%flops -v base --save base.json             count a training step, keep its Report twice
    loss = model(x).sum()
    loss.backward()

    %flops --against base smaller(x)             show what has changed since then
    %flops --per 128:token model(tokens)         show FLOPs per token too
    %flops -t --peak model(x)                    time clean repeats, compare with the device's peak
    %flops --columns shapes,params model(x)      show shapes and trainable parameters
    %flops --fake huge(tokens)                   count a model that does not fit in memory
    %flops --fake --memory step()                will it fit?
    %flops --fake cuda huge.cuda()(tokens.cuda())   the same, as on a GPU

    %flops --fake --on "A100,H100@0.4" step()    estimate the time on other devices

    %config FlopsMagics.convention = "article"   set the default
    %config FlopsMagics                          show all defaults

In Python: ``ipyflops.last()`` is the last Report, and ``with ipyflops.FlopCounter() as counter:``
counts a block. Use it in a cell with ``await``, which cannot be a magic.
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
