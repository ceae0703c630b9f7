//! The shapes of kubeconfigs. The end-to-end tests let kubectl read them, too.

/// Cases: name, text before, text after. `ENTRY` and `ENTRY2` stand for the new entry with its dash in column 0 or 2,
/// `FLOW` and `JSON` for the entry in flow style.
pub(crate) const SHAPES: &[(&str, &str, &str)] = &[
    (
        "empty file",
        "",
        "apiVersion: v1\nkind: Config\nusers:\nENTRY",
    ),
    (
        "only comments",
        "# mine\n",
        "# mine\napiVersion: v1\nkind: Config\nusers:\nENTRY",
    ),
    (
        "only a document start",
        "---\n",
        "---\napiVersion: v1\nkind: Config\nusers:\nENTRY",
    ),
    (
        "no users",
        "apiVersion: v1\nclusters: []\n",
        "apiVersion: v1\nclusters: []\nusers:\nENTRY",
    ),
    (
        "null users",
        "users:\nkind: Config\n",
        "users:\nENTRYkind: Config\n",
    ),
    (
        "null users with a comment",
        "users: # none\nkind: Config\n",
        "users: # none\nENTRYkind: Config\n",
    ),
    (
        "tilde",
        "users: ~ # none\nkind: Config\n",
        "users: # none\nENTRYkind: Config\n",
    ),
    (
        "word null",
        "users:   null\nkind: Config\n",
        "users:\nENTRYkind: Config\n",
    ),
    (
        "empty list",
        "users: []\nkind: Config\n",
        "users:\nENTRYkind: Config\n",
    ),
    (
        "empty list at the end without a line break",
        "kind: Config\nusers: []",
        "kind: Config\nusers:\nENTRY-",
    ),
    (
        "list at the column of its key",
        "users:\n- name: a\n  user: {token: x}\nkind: Config\n",
        "users:\n- name: a\n  user: {token: x}\nENTRYkind: Config\n",
    ),
    (
        "indented list",
        "users:\n  - name: a\n    user:\n      token: x\nkind: Config\n",
        "users:\n  - name: a\n    user:\n      token: x\nENTRY2kind: Config\n",
    ),
    (
        "flow list in block map",
        "users: [{name: a, user: {token: x}}]\nkind: Config\n",
        "users: [{name: a, user: {token: x}}, FLOW]\nkind: Config\n",
    ),
    (
        "flow list with a trailing comma",
        "users: [{name: a, user: {token: x}}, ]\n",
        "users: [{name: a, user: {token: x}}, FLOW, ]\n",
    ),
    (
        "flow list on several lines",
        "users: [\n  {name: a}, # first\n  {name: b} # last\n]\n",
        "users: [\n  {name: a}, # first\n  {name: b}, # last\n  FLOW\n]\n",
    ),
    (
        "flow root on one line",
        "{kind: Config, users: []}\n",
        "{kind: Config, users: [FLOW]}\n",
    ),
    (
        "flow root without users",
        "{kind: Config}",
        "{kind: Config, users: [FLOW]}",
    ),
    (
        "compact JSON",
        "{\"users\":[{\"name\":\"a\",\"user\":{\"token\":\"x\"}}]}",
        "{\"users\":[{\"name\":\"a\",\"user\":{\"token\":\"x\"}}, JSON]}",
    ),
    (
        "JSON with null users",
        "{\"kind\":\"Config\",\"users\":null}\n",
        "{\"kind\":\"Config\",\"users\":[JSON]}\n",
    ),
    (
        "comments everywhere",
        "# top\nusers: # users\n# before\n- name: a # name\n  # inside\n  user: # user\n    token: x # token\n    # own\n# after\nkind: Config # end\n",
        "# top\nusers: # users\n# before\n- name: a # name\n  # inside\n  user: # user\n    token: x # token\n    # own\nENTRY# after\nkind: Config # end\n",
    ),
    (
        "tabs as separators",
        "users:\t# tab\n- name:\ta\n  user:\t{token:\tx}\t# tab\n",
        "users:\t# tab\n- name:\ta\n  user:\t{token:\tx}\t# tab\nENTRY",
    ),
    (
        "trailing spaces",
        "users:  \n- name: a   \n  user: {}  \nkind: Config  \n",
        "users:  \n- name: a   \n  user: {}  \nENTRYkind: Config  \n",
    ),
    (
        "no line break at the end",
        "users:\n- name: a\n  user: {token: x}",
        "users:\n- name: a\n  user: {token: x}\nENTRY-",
    ),
    (
        "blank lines between entries",
        "users:\n- name: a\n  user: {}\n\n- name: b\n  user: {}\n\nkind: Config\n",
        "users:\n- name: a\n  user: {}\n\n- name: b\n  user: {}\n\nENTRY\nkind: Config\n",
    ),
    (
        "quoted keys",
        "\"users\":\n- \"name\": \"a\"\n  'user': {\"token\": \"x\"}\n\"kind\": Config\n",
        "\"users\":\n- \"name\": \"a\"\n  'user': {\"token\": \"x\"}\nENTRY\"kind\": Config\n",
    ),
    (
        "quoted key of an empty list",
        "'users': []\n",
        "'users':\nENTRY",
    ),
    (
        "extra members",
        "users:\n- name: a\n  extra: {deep: [1, 2.50, 0x10]}\n  user: {}\nmine: 010\n",
        "users:\n- name: a\n  extra: {deep: [1, 2.50, 0x10]}\n  user: {}\nENTRYmine: 010\n",
    ),
    (
        "env of another plugin",
        "users:\n- name: a\n  user:\n    exec:\n      command: other\n      env:\n      - name: A\n        value: b\n      args: null\n",
        "users:\n- name: a\n  user:\n    exec:\n      command: other\n      env:\n      - name: A\n        value: b\n      args: null\nENTRY",
    ),
    (
        "literal block at the end",
        "users:\n- name: a\n  user:\n    token: |\n      abc\n\n      def\n\n\nkind: Config\n",
        "users:\n- name: a\n  user:\n    token: |\n      abc\n\n      def\nENTRY\n\nkind: Config\n",
    ),
    (
        "literal block that keeps its end",
        "users:\n- name: a\n  user:\n    token: |+\n      abc\n\n\nkind: Config\n",
        "users:\n- name: a\n  user:\n    token: |+\n      abc\n\n\nENTRYkind: Config\n",
    ),
    (
        "folded block",
        "users:\n- name: a\n  user:\n    token: >-\n      abc\n      def\n",
        "users:\n- name: a\n  user:\n    token: >-\n      abc\n      def\nENTRY",
    ),
    (
        "text on several lines",
        "users:\n- name: a\n  user:\n    token: 'abc\n      def'\n",
        "users:\n- name: a\n  user:\n    token: 'abc\n      def'\nENTRY",
    ),
    (
        "Unicode",
        "users:\n- name: 名前 é 🦀\n  user: {token: ü}\nclusters: [] # ö\n",
        "users:\n- name: 名前 é 🦀\n  user: {token: ü}\nENTRYclusters: [] # ö\n",
    ),
    (
        "dash on its own line",
        "users:\n-\n  name: a\n  user: {}\n- name: b\nkind: Config\n",
        "users:\n-\n  name: a\n  user: {}\n- name: b\nENTRYkind: Config\n",
    ),
    (
        "anchors and aliases",
        "users:\n- &a\n  name: a\n  user: &u {token: x}\n- name: b\n  user: *u\n",
        "users:\n- &a\n  name: a\n  user: &u {token: x}\n- name: b\n  user: *u\nENTRY",
    ),
    (
        "merge keys",
        "base: &b {token: x}\nusers:\n- name: a\n  user:\n    <<: *b\n",
        "base: &b {token: x}\nusers:\n- name: a\n  user:\n    <<: *b\nENTRY",
    ),
    (
        "end of the document",
        "---\nusers:\n- name: a\n...\n",
        "---\nusers:\n- name: a\nENTRY...\n",
    ),
    (
        "directive",
        "%YAML 1.1\n---\nusers:\n- name: a\n",
        "%YAML 1.1\n---\nusers:\n- name: a\nENTRY",
    ),
];
