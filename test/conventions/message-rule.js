// A local rule: no branch hangs on the words of a failure. Codes, errnos and fields are data; sentences are for people, and get reworded.
// What other programs and libraries only say in words is read in the few files that eslint.config.js lists, each with its reason.
import ts from 'typescript';

const WORDS = new Set(['message', 'reason', 'detail', 'said']);
const PATTERN = new Set(['test', 'exec']);
const TEXT = new Set(['includes', 'startsWith', 'endsWith', 'match', 'matchAll', 'search']);

/** `error.message`, `reason`, `(message ?? '')`, `message.toLowerCase()`. */
function isWords(node) {
  switch (node?.type) {
    case 'Identifier':
      return WORDS.has(node.name);
    case 'MemberExpression':
      return !node.computed && WORDS.has(node.property.name);
    case 'ChainExpression':
      return isWords(node.expression);
    case 'LogicalExpression':
      return isWords(node.left);
    case 'CallExpression':
      return (
        (node.callee.type === 'MemberExpression' && isWords(node.callee.object)) ||
        (node.callee.type === 'Identifier' && node.callee.name === 'describe')
      );
    default:
      return false;
  }
}

export const messageRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { words: 'this decides by the words of a failure: carry a code or a field, and make the sentence last' },
  },
  create(context) {
    // Only strings have words; a list or a Set named `detail` is none.
    const services = context.sourceCode.parserServices;
    const isText = (node) => {
      const type = services.getTypeAtLocation(node);
      return (type.isUnion() ? type.types : [type]).some((part) => (part.flags & ts.TypeFlags.StringLike) !== 0);
    };
    const report = (node, words) => {
      if (isWords(words) && isText(words)) context.report({ node, messageId: 'words' });
    };
    return {
      CallExpression(node) {
        const { callee } = node;
        if (callee.type !== 'MemberExpression' || callee.computed) return;
        if (PATTERN.has(callee.property.name)) report(node, node.arguments[0]);
        // What is compared with a value (a code, a name) hangs on that value, not on a sentence.
        if (TEXT.has(callee.property.name) && node.arguments[0]?.type === 'Literal') report(node, callee.object);
      },
      BinaryExpression(node) {
        if (!/^[=!]==?$/.test(node.operator)) return;
        const spoken = (other) =>
          other.type === 'Literal' && typeof other.value === 'string' && other.value.includes(' ');
        if (spoken(node.right)) report(node, node.left);
      },
    };
  },
};
