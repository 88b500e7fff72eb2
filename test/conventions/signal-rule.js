// A local rule: every exported async function that does I/O takes an AbortSignal, or a context that holds one.
const NAMES = new Set(['AbortSignal', 'Scope', 'Lifetime', 'Invocation']);

/** Whether a type is a signal or has a member that is one (two levels: `options.signal`, `deps.context.signal`). */
function holdsSignal(checker, type, depth = 2) {
  const parts = type.isUnionOrIntersection() ? type.types : [type];
  return parts.some((part) => {
    if (NAMES.has(part.symbol?.name ?? '') || NAMES.has(part.aliasSymbol?.name ?? '')) return true;
    if (depth === 0 || checker.isArrayType(part)) return false;
    return part.getProperties().some((member) => {
      const at = member.valueDeclaration;
      if (at === undefined || !('type' in at)) return false;
      return holdsSignal(checker, checker.getTypeOfSymbolAtLocation(member, at), depth - 1);
    });
  });
}

export const signalRule = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { missing: '{{name}} is exported and async: take an AbortSignal, or a context that holds one' },
  },
  create(context) {
    const services = context.sourceCode.parserServices;
    const checker = services.program.getTypeChecker();
    return {
      'ExportNamedDeclaration > FunctionDeclaration[async=true]'(node) {
        const found = node.params.some((param) => holdsSignal(checker, services.getTypeAtLocation(param)));
        if (!found)
          context.report({ node: node.id ?? node, messageId: 'missing', data: { name: node.id?.name ?? 'it' } });
      },
    };
  },
};
