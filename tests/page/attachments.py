"""Files that a visitor attaches."""

from playwright.async_api import FilePayload

from deep_chat_proxy.local_openai.brain.png import HEIGHT, WIDTH, bar_chart

PICTURE = FilePayload(name="chart.png", mimeType="image/png", buffer=bar_chart([1, 2, 3]))
PICTURE_SAID = f"This is a PNG picture of {WIDTH} x {HEIGHT} pixels."
PDF = FilePayload(
    name="report.pdf",
    mimeType="application/pdf",
    buffer=b"%PDF-1.4\n1 0 obj<<>>\nstream\nBT (Quarterly report) Tj ET\nendstream\nendobj\n%%EOF\n",
)
CSV = FilePayload(name="cities.csv", mimeType="text/csv", buffer=b"city,celsius\r\nParis,21\r\n")
