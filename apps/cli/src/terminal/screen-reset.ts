/**
 * What a program that fills the screen does to a terminal when it ends, for one that goes on without the terminal: no colours, the main
 * screen, a visible cursor, plain cursor keys and keypad, no mouse reports, no bracketed paste. It changes nothing on a terminal that is
 * like that already. Source: xterm's control sequences (DECSET, DECRST).
 */
export const screenReset =
  "\u001b[m\u001b[?1047l\u001b[?25h\u001b[?1l\u001b>\u001b[?1000;1002;1003;1006l\u001b[?2004l";
