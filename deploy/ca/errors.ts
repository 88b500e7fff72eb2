// What can go wrong with the project's own certificate authority.
import { defineErrors } from '../../agents/runtime/index.ts';

/** The errors of the authority. Exit code 6: the release is refused before anything is touched. */
export const caErrors = defineErrors({
  VW_CA_UNUSABLE: {
    message: 'the certificate authority in {directory} cannot be used: {reason}',
    hint: 'check its files and their modes: ls -l {directory}',
    retry: 'never',
    exitCode: 6,
  },
});
