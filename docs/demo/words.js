// The page's words in both languages.
export const WORDS = {
  en: {
    other: "中文",
    intro:
      "A YOLO11n with two CoTAttention blocks finds drawn shapes. Everything runs in this browser: no picture leaves it. " +
      "Click the picture to see how the blocks weigh its positions.",
    open: "Open or drop a picture",
    camera: "Camera",
    stop: "Stop the camera",
    confidence: "confidence",
    blocks: "attention",
    none: "none",
    trained:
      "The model knows six shapes (ellipse, ring, triangle, rectangle, cross, crescent) and nothing else: it was trained for a few " +
      "minutes on the embedded set of drawn pictures, 128 x 128 pixels, when this page was built.",
    loading: "loading the model …",
    failed: "This browser could not run it: ",
    refused: "No camera: ",
    unreadable: "This file is no picture that the browser can read.",
    found: (boxes, time) => `${boxes} boxes, ${time} ms per picture`,
    point: (block, times) => `${block}: this cell has ${times} times the weight of an even share.`,
  },
  zh: {
    other: "English",
    intro:
      "带两个 CoTAttention 模块的 YOLO11n 检测图形。一切都在本浏览器中运行，图片不会离开浏览器。点击图片可以看到模块给各位置的权重。",
    open: "打开或拖入图片",
    camera: "摄像头",
    stop: "关闭摄像头",
    confidence: "置信度",
    blocks: "注意力",
    none: "无",
    trained:
      "模型只认识六种图形（椭圆、环、三角形、矩形、十字、月牙）：本页面构建时，用内置的 128 x 128 像素图形数据集训练了几分钟。",
    loading: "正在载入模型……",
    failed: "此浏览器无法运行：",
    refused: "无法使用摄像头：",
    unreadable: "浏览器无法读取这个文件。",
    found: (boxes, time) => `${boxes} 个框，每张 ${time} 毫秒`,
    point: (block, times) => `${block}：此处的权重是平均值的 ${times} 倍。`,
  },
};
