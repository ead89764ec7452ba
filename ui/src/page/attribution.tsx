/** The link that the chart library's licence asks for, with its mark. */
export function Attribution() {
  return (
    <a
      class="attribution"
      href="https://www.tradingview.com/"
      target="_blank"
      rel="noreferrer"
      title="Charting by TradingView"
    >
      <svg viewBox="0 0 35 19" width="35" height="19" role="img" aria-label="Charting by TradingView">
        <path
          class="mark"
          fill-rule="evenodd"
          d="M14 2H2v6h6v9h6V2Zm12 15h-7l6-15h7l-6 15Zm-7-9a3 3 0 1 0 0-6 3 3 0 0 0 0 6Z"
        />
      </svg>
    </a>
  )
}
