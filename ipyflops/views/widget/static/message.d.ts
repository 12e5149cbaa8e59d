// Types alone: what Python sends to the widget, and what the widget asks of Python.
// `packing.py` and `view.py` in the folder above make these messages.

export type Convention = "standard" | "contractions" | "article";
export type Verdict = "formula" | "free" | "unknown";

/** A column of numbers. The comment of a field says which numbers. */
export type Binary = DataView | ArrayBuffer;

/** A metric of `costs/metrics.py`, as a column shows it; what is empty or false is left out. */
export interface Column {
  /** What Python knows it by, as in `Totals`. */
  key: string;
  title: string;
  /** The tooltip of the title. */
  explanation: string;
  /** A count has a prefix, and so has a rate, which is never whole; a time is in seconds. */
  format: "count" | "rate" | "time" | "share" | "text";
  /** As FLOPs or B; may be empty. */
  unit?: string;
  /** What is counted, as "integer ops" or "kernel time". */
  name?: string;
  /** What the number is where its unit stands beside it, as "rate"; empty where that is the name. */
  quantity?: string;
  /** What is read after the number, as "in kernels". */
  phrase?: string;
  /** The keys of what is divided and by what. */
  ratio?: [string, string];
  /** Whether it is divided by the number of the whole run. */
  of_whole?: boolean;
  /** Whether it is a number of the module itself and not a sum over what ran. */
  of_place?: boolean;
  /** Whether the column is hidden until somebody asks for it. */
  optional?: boolean;
}

/** An item of the headline; its definition is the tooltip. */
export interface HeadlineItem {
  text: string;
  definition: string;
  tone: "plain" | "warning" | "error";
}

export interface Headline {
  figures: HeadlineItem[];
  convention: { text: string; definition: string };
  notes: string[];
}

/** The lines of a method, and what ran on them. */
export interface Excerpt {
  file: string;
  name: string;
  first: number;
  lines: string[];
  number: Binary; // int32
  phase: Binary; // uint8
  signature: Binary; // int32
  calls: Binary; // float64
  nanoseconds: Binary; // float64
}

/** [operator, dtype, shapes, verdict, formula by convention, symbols, note] */
export type SignatureText = [
  string, string, string, Verdict, [string, ...(string | null)[]], [string, number | string][], string,
];

export interface Rank {
  number: number | null;
  place?: string;
  problem?: string;
  there: boolean;
  flops?: Record<Convention, number>;
  seconds?: number;
  communicated?: number;
}

export interface Ranks {
  ranks?: Rank[];
  shown?: number | null;
}

/** A report. */
export interface Message {
  /** By the name that the traits and columns have for it; those that the report has none of, too. */
  columns: Record<string, Column>;
  /** The columns that say something about this report, in their order; the optional ones last. */
  tables: Partial<Record<TableName, string[]>>;
  /** The keys of the metrics that bars and charts can show. */
  bars: string[];
  scopes: {
    parent: Binary; // int32
    name: Binary; // int32, into `names`
    type: Binary; // int32, into `names`
    kind: Binary; // uint8
    calls: Binary; // float64
    parameters: Binary; // float64
    instances: Binary; // float64
  };
  /** What was asked for of the memory of each scope, with what is inside it, and its seconds on
   *  devices, by the key of the metric; none otherwise. */
  held: Record<string, Binary>; // float64
  /** What went into each scope and came out, where that was asked for; none otherwise. */
  shapes: {
    input?: Binary; // int32, into `names`
    output?: Binary; // int32, into `names`
    kernel?: Binary; // int32, into `names`
    trainable?: Binary; // float64, -1 where it is not known
    /** What bounds it on a device. */
    [bound: `bound_on_${number}`]: Binary; // int32, into `names`
  };
  /** Columns that somebody has asked for: they are shown first. */
  asked: string[];
  names: string[];
  /** [file, number, text] */
  lines: [string, number, string][];
  excerpts: Excerpt[];
  signatures: {
    text: SignatureText[];
    summed: Binary; // uint8
    peak?: Binary; // float64, FLOPS
    /** Numbers that a double does not hold, by convention and by the index of the signature. */
    exact: Partial<Record<Convention, Record<string, string>>>;
    /** What a call costs: FLOPs by convention, and what `OF_CALL` of `costs/metrics.py` names.
     *  A convention that says what standard says, and what the whole report has none of, is left out. */
    costs: Record<string, Binary>; // float64
  };
  rows: {
    scope: Binary; // int32
    line: Binary; // int32
    phase: Binary; // uint8
    signature: Binary; // int32
    calls: Binary; // float64
    nanoseconds: Binary; // float64
    replicated?: Binary; // float64, calls
  };
  headlines: Record<Convention, Headline>;
  ranks?: Ranks;
  /** What ran before, where the report is set against that. */
  change?: ChangeMessage;
}

/** Another report, and the places of both as one tree. */
export interface ChangeMessage {
  before: Message;
  places: {
    parent: Binary; // int32
    name: Binary; // int32, into `names`
    type: Binary; // int32, into `names`
    kind: Binary; // uint8
    /** The place's index in the scopes of each report; -1 where it is not there. */
    before: Binary; // int32
    after: Binary; // int32
  };
  names: string[];
  headlines: Record<Convention, Headline>;
}

/** Of what bars are; a request says as well how they are measured, and how wide the pane is. */
export type BarsOf =
  | { of: "inside"; nodes: number[] }
  | { of: "operators" }
  /** Of places, each by its index before and after. */
  | { of: "change"; nodes: [number, number][] }
  /** Of an operator that has this signature; of that signature alone, or of all. */
  | { of: "callers"; signature: number; alone: boolean };

/** A chart as Python has drawn it, for the request with this key. */
export interface ChartAnswer {
  key?: string;
  /** An element that takes its colour and its fonts from the page. */
  svg?: string;
  /** The table of what it shows. */
  head?: string[];
  rows?: string[][];
  error?: string;
  words?: string[];
}

/** The program and style sheet of all views, as `program.py` sends them. */
export interface ProgramModel {
  get(name: "code" | "style"): string;
  /** The program once it has been started in this page. */
  ipyflops?: Promise<{ default: { render(given: { model: Model; el: HTMLElement }): () => void } }>;
}

/** The traits of `view.py`. */
export interface Traits {
  /** A reference to the program. */
  _program: string;
  _data: Message;
  _key: string;
  _depth: number | null;
  _chart: ChartAnswer;
  _roofline: ChartAnswer;
  _memory: ChartAnswer;
  selected: string;
  convention: Convention;
  metric: string;
  sort: string;
  expanded: string[] | null;
  by: TabName;
  /** Whether the modules are an icicle, and no table. */
  icicle: boolean;
  /** Pixels of the table; null for what fits on a screen. */
  height: number | null;
  /** By the table: columns that somebody has chosen. */
  columns: Partial<Record<TableName, string[]>>;
  rank: number | null;
}

export type TableName = "change" | "modules" | "operators" | "lines";
export type TabName = TableName | "roofline" | "memory";

/** The widget's model, as anywidget gives it. */
export interface Model {
  get<Name extends keyof Traits>(name: Name): Traits[Name];
  set<Name extends keyof Traits>(name: Name, value: Traits[Name]): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, action: (message?: any) => void): void;
  off(event: string, action: (message?: any) => void): void;
  /** Not every host of anywidget has one. */
  widget_manager?: { get_model(id: string): Promise<ProgramModel> };
}
